"""What each of two processes holds of a training, with weights in full and with sharded ones.

    python benchmarks/sharded_memory.py [--width 512] [--layers 16] [--steps 3]

A FastConformer with a CTC head is trained from scratch by AdamW on two processes (gloo, CPU) for a
few steps of short clips, with training.fsdp off and on. Counted after the last step, on the process
that holds the most: bytes of weights, of gradients and of the optimizer's state. Beside them what
the process holds in memory in all (VmRSS, once glibc has given back what is free; Linux), the size
of the checkpoint, and the median of the steps' seconds, which two processes on one machine's cores
say little about.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from gradient_trainings import RANK_EPOCH, RATE, TEXTS, Clips, FixedPlan, settings_of, silence

from mynah import distributed
from mynah.checkpoints.commit import size_bytes
from mynah.config.schema import EncoderConfig, ModelConfig
from mynah.models import registry
from mynah.training.sharding.tensors import own_part
from mynah.training.trainer import train

MIB = 2**20


def bytes_of(tensors: list[Any]) -> int:
    """What this process holds of tensors."""
    own = [own_part(one) for one in tensors if torch.is_tensor(one)]
    return sum(one.numel() * one.element_size() for one in own)


def resident_bytes() -> int:
    """What this process holds in memory; 0 where the system does not say."""
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def work_as_rank(request: dict[str, Any]) -> None:
    """What each of the two processes does: train, count, and write what it counted."""
    torch.set_num_threads(1)
    width = request["width"]
    encoder = EncoderConfig(
        hidden_size=width, layers=request["layers"], heads=4, feed_forward_size=4 * width
    )
    torch.manual_seed(1)
    family = registry.build(
        ModelConfig(encoder=encoder), texts=TEXTS, sample_rate=RATE, offline=True
    )
    counted: dict[str, float] = {}
    times = [time.monotonic()]

    def look(optimizer: Any, *_: Any) -> None:
        times.append(time.monotonic())
        model = family.model
        states = [value for state in optimizer.state.values() for value in state.values()]
        counted.update(
            weights=bytes_of(list(model.parameters())),
            gradients=bytes_of([parameter.grad for parameter in model.parameters()]),
            state=bytes_of(states),
            resident=resident_bytes(),
        )

    hook = register_optimizer_step_post_hook(look)
    place = Path(request["folder"]) / f"fsdp-{request['fsdp']}"
    with silence():
        train(
            family, Clips((1.9,) * 16), FixedPlan(RANK_EPOCH),
            settings_of(
                1, max_steps=request["steps"], optim="adamw_torch", learning_rate=1e-4,
                fsdp=request["fsdp"],
            ),
            output_directory=place, evaluate=lambda step: {},
        )  # fmt: skip
    hook.remove()
    counted["seconds"] = statistics.median(b - a for a, b in itertools.pairwise(times[1:]))
    counted["parameters"] = sum(one.numel() for one in family.model.parameters())
    counted["checkpoint"] = size_bytes(place / f"checkpoint-{request['steps']}")
    (place / f"rank-{distributed.rank()}.json").write_text(json.dumps(counted))


def on_two_ranks(request: dict[str, Any]) -> list[dict[str, float]]:
    """What both processes counted."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"),
            *("--master-addr=127.0.0.1", f"--master-port={port}"),
            *(str(Path(__file__).resolve()), "--rank-of", json.dumps(request)),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"},
        check=True,
    )
    place = Path(request["folder"]) / f"fsdp-{request['fsdp']}"
    return [json.loads((place / f"rank-{rank}.json").read_text()) for rank in (0, 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--rank-of", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.rank_of:
        work_as_rank(json.loads(arguments.rank_of))
        return
    columns = ("weights", "gradients", "state", "resident", "checkpoint")
    print("| training.fsdp | " + " | ".join(f"{name}, MiB" for name in columns) + " | s a step |")
    print("|---" * (len(columns) + 2) + "|")
    with tempfile.TemporaryDirectory() as folder:
        for fsdp in (False, True):
            asked = {"width": arguments.width, "layers": arguments.layers, "fsdp": fsdp}
            found = on_two_ranks({**asked, "steps": arguments.steps, "folder": folder})
            most = {name: max(one[name] for one in found) for name in found[0]}
            cells = [f"{most[name] / MIB:,.0f}" for name in columns]
            print(f"| {str(fsdp).lower()} | {' | '.join(cells)} | {most['seconds']:.1f} |")
    print(f"\n{most['parameters'] / 1e6:.1f} million parameters")


if __name__ == "__main__":
    main()
