"""Bytes that a rank sends and receives in a step, and how long it waits, counted on gloo.

    python benchmarks/wire_bytes.py [--ranks 2] [--steps 4] [--late 0.3]

A speech LLM of stand-ins (tests/standins.py: a Whisper encoder before a chat model, random
weights) is trained on the CPU by several processes that speak gloo over TCP: in full and with
LoRA, with DDP and with training.fsdp=true. Each process counts the bytes of its own TCP
connections (Linux: TCP_INFO, without headers), so that other traffic of the machine does not
count, from one optimizer step to the next; the first step, in which DDP learns the order of
gradients, is left out. Beside the mean of a step stands what paper says: with DDP 2 (N - 1) / N of
the gradient's bytes, sent by each; sharded (N - 1) / N of the weights at each gathering (a layer's
are gathered twice, for forward and backward, the rest and those of a frozen encoder once) and of
the gradient, once; beside it what gloo makes of that, whose reduce-scatter is an all-reduce of
which each keeps its part.

Then the same with a last rank that is late by --late seconds in every step. Waiting is the time
in which a process's main thread neither ran nor stood in line for a core (Linux: schedstat): the
median of a step on the first rank.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import socket
import stat
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import gradient_trainings as trainings

from mynah import console, distributed
from mynah.training.sharding.blocks import blocks
from mynah.training.trainer import train

MODELS = {"full": "speech_llm, Whisper, all trained", "LoRA": "speech_llm, Whisper, LoRA"}
_TCP_INFO_BYTES = 256  # more than the kernel fills
_LEAST_STEPS = 3  # the first connects, and two are needed for a difference
_SENT = 120  # where bytes_acked begins in Linux's struct tcp_info; bytes_received is behind it


def wire_bytes() -> tuple[int, int]:
    """Bytes that this process has sent and received over its TCP connections since they began."""
    sent = received = 0
    for number in [int(one.name) for one in Path("/proc/self/fd").iterdir()]:
        try:
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
        except OSError:  # closed by now
            continue
        with socket.socket(fileno=os.dup(number)) as connection:
            try:
                info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
            except OSError:  # of another kind
                continue
            if len(info) >= _SENT + 16:
                acked, got = struct.unpack_from("QQ", info, _SENT)
                sent, received = sent + acked, received + got
    return sent, received


def awake_seconds() -> float:
    """Time in which the main thread ran or stood in line for a core."""
    ran, stood, _ = Path(f"/proc/self/task/{os.getpid()}/schedstat").read_text().split()
    return (int(ran) + int(stood)) / 1e9


def work_as_rank(request: dict[str, Any]) -> None:
    """What each process does: train in every way, count, and write what it counted."""
    torch.set_num_threads(1)
    found = {}
    for model, fsdp, late in itertools.product(MODELS, (False, True), (0.0, request["late"])):
        found[f"{model} {fsdp} {bool(late)}"] = counted(request, model, fsdp=fsdp, late=late)
        if distributed.rank() == 0:
            console.say(f"{model}, fsdp={fsdp}, late by {late:g} s: counted")
    (Path(request["folder"]) / f"rank-{distributed.rank()}.json").write_text(json.dumps(found))


def counted(request: dict[str, Any], model: str, *, fsdp: bool, late: float) -> dict[str, float]:
    """What a training sends, receives and waits for in a step, and how large its weights are."""
    family = trainings.build(MODELS[model], Path(request["folder"]), torch.float32)
    sizes = sizes_of(family.model)
    seen: list[tuple[int, int, float, float]] = []
    of_family = family.loss

    def loss(module: Any, batch: dict[str, torch.Tensor]) -> Any:
        if late and distributed.rank() == distributed.world_size() - 1:
            time.sleep(late)
        return of_family(module, batch)

    def look(*_: Any) -> None:
        seen.append((*wire_bytes(), time.monotonic(), awake_seconds()))

    family.loss = loss
    hook = register_optimizer_step_post_hook(look)
    batches = [[row] for row in range(request["ranks"])] * request["steps"]
    with trainings.silence(), tempfile.TemporaryDirectory() as place:
        train(
            family, trainings.Clips(trainings.EQUAL_SECONDS), trainings.FixedPlan(batches),
            trainings.settings_of(1, max_steps=request["steps"], fsdp=fsdp, save_strategy="no"),
            output_directory=Path(place), evaluate=lambda step: {},
        )  # fmt: skip
    hook.remove()
    steps = [
        [later - before for before, later in zip(one, other, strict=True)]
        for one, other in itertools.pairwise(seen)
    ][1:]
    sent, received, wall, awake = (list(column) for column in zip(*steps, strict=True))
    waits = [a - b for a, b in zip(wall, awake, strict=True)]
    return {
        "sent": statistics.mean(sent), "received": statistics.mean(received),
        "waits": statistics.median(waits), **sizes,
    }  # fmt: skip


def sizes_of(model: torch.nn.Module) -> dict[str, int]:
    """Bytes of the trained weights, of those in layers by how often they are gathered, and of
    those in none: what a part without a trained weight computes has no backward pass."""
    weights = {id(one): one.numel() * one.element_size() for one in model.parameters()}
    twice: set[int] = set()
    once: set[int] = set()
    for part in model.children():
        learns = any(one.requires_grad for one in part.parameters())
        for layer in blocks(part):
            (twice if learns else once).update(id(one) for one in layer.parameters())
    layers = [sum(weights[one] for one in some) for some in (twice, once)]
    return {
        "gradient": sum(weights[id(one)] for one in model.parameters() if one.requires_grad),
        "twice": layers[0],
        "once": sum(weights.values()) - layers[0],
    }


def on_ranks(request: dict[str, Any]) -> dict[str, dict[str, float]]:
    """What the first of the processes counted, by model, sharding and lateness."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run"),
            *(f"--nproc-per-node={request['ranks']}", "--master-addr=127.0.0.1"),
            *(f"--master-port={port}", str(Path(__file__).resolve()), "--rank-of"),
            json.dumps(request),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"},
        check=True,
    )
    found: dict[str, dict[str, float]] = json.loads(
        (Path(request["folder"]) / "rank-0.json").read_text()
    )
    return found


def on_paper(found: dict[str, float], ranks: int, *, fsdp: bool) -> tuple[float, float]:
    """Bytes that a rank sends in a step: with a ring, and by gloo."""
    share = (ranks - 1) / ranks
    reduced = 2 * share * found["gradient"]
    if not fsdp:
        return reduced, reduced
    gathered = share * (2 * found["twice"] + found["once"])
    return gathered + reduced / 2, gathered + reduced


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--late", type=float, default=0.3)
    parser.add_argument("--rank-of", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.steps < _LEAST_STEPS:
        parser.error(f"--steps: at least {_LEAST_STEPS}; the first step is not counted")
    if arguments.rank_of:
        work_as_rank(json.loads(arguments.rank_of))
        return
    with tempfile.TemporaryDirectory() as folder:
        for name in MODELS.values():  # writes what they are built from
            trainings.build(name, Path(folder), torch.float32)
        asked = {"ranks": arguments.ranks, "steps": arguments.steps, "late": arguments.late}
        counts = on_ranks({**asked, "folder": folder})
    lines = []
    for model, fsdp in itertools.product(MODELS, (False, True)):
        found, late = (counts[f"{model} {fsdp} {one}"] for one in (False, True))
        paper = on_paper(found, arguments.ranks, fsdp=fsdp)
        cells = [f"{one:,.0f}" for one in (found["sent"], found["received"], *paper)]
        waits = [f"{one['waits']:.2f} s" for one in (found, late)]
        name = f"{model}, {'fsdp' if fsdp else 'DDP'}"
        lines.append([name, *cells, f"{found['sent'] / paper[1]:.3f}", *waits])
    title = f"A step of {arguments.ranks} ranks, the first of them"
    columns = [
        "",
        "sent",
        "received",
        "on paper",
        "by gloo",
        "sent of that",
        "waits",
        "beside late",
    ]
    console.table(title, columns, lines)


if __name__ == "__main__":
    main()
