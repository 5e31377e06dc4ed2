"""The gradient of one optimizer step, however it is split, for every family.

    python benchmarks/gradient_splits.py [--families NAME ...] [--steps 50]

Trains tiny random models of the real classes through the full training loop, with dropout and
masking off, and compares the gradient that the optimizer sees for eight utterances in one batch
with that of the same eight in other batches, micro-batches and on two processes (gloo). A figure
is the norm of the difference over the norm. Printed are

- fp64 and fp32, BatchNorm frozen, clips of one length: the worst of all splits, of the parameter
  where it is largest; one with less than 1e-4 of the full gradient is measured against that share;
- the same of the weights after clipped SGD steps on one process and on two, in fp64;
- what live BatchNorm costs, and what padding does (clips of different lengths): one batch of eight
  against eight of one, in fp64, of the gradient as a whole;
- the baseline: how much longer plain transformers' Trainer's gradient is for the same splits.

About five minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from gradient_trainings import (
    EPOCH,
    EQUAL_SECONDS,
    FAMILIES,
    FULL,
    MIXED_SECONDS,
    RANK_EPOCH,
    RANK_SPLITS,
    SPLITS,
    TEXTS,
    Clips,
    build,
    cost,
    difference,
    outcome,
    several_steps,
    silence,
    standin,
    take_randomness_out,
)

from mynah import distributed


def on_two_ranks(families: Sequence[str], folder: Path, *, steps: int) -> dict[str, Any]:
    """The gradients and, after ``steps`` steps, the weights of two processes, by family."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    written = folder / "two_ranks"
    written.mkdir()
    request = json.dumps({"families": list(families), "folder": str(folder), "steps": steps})
    subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"),
            *("--master-addr=127.0.0.1", f"--master-port={port}"),
            *(str(Path(__file__).resolve()), "--rank-of", request),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"},
        check=True,
    )
    return {file.stem: load_file(str(file)) for file in written.glob("*.safetensors")}


def key_of(family: str, what: str) -> str:
    """Name of a file of :func:`on_two_ranks`, without its ending."""
    return f"{list(FAMILIES).index(family)} {what}"


def work_as_rank(request: dict[str, Any]) -> None:
    """What each of the two processes does."""
    folder = Path(request["folder"])
    for name in request["families"]:
        found: dict[str, dict[str, torch.Tensor]] = {}
        for dtype in (torch.float64, torch.float32):
            for split, batches in RANK_SPLITS.items():
                made = outcome(build(name, folder, dtype), batches)
                found[f"{split} {dtype}"] = made.gradients
        if request["steps"]:
            found["weights"] = several_steps(name, folder, RANK_EPOCH, request["steps"])
        for what, tensors in found.items() if distributed.rank() == 0 else []:
            save_file(tensors, str(folder / "two_ranks" / f"{key_of(name, what)}.safetensors"))


def plain_trainer_ratios(folder: Path) -> dict[str, float]:
    """Gradient norm of transformers' own Trainer, wav2vec2 with CTC, over that of one batch."""
    from transformers import AutoModelForCTC, Trainer, TrainingArguments

    family = build("ctc, wav2vec2 (group norm)", folder, torch.float32)
    clips = Clips(EQUAL_SECONDS)
    rows = []
    for row in range(8):
        labels = (family.labels(TEXTS[row]) * 9)[:9]  # as many in each row: its loss is a mean
        rows.append({"input_values": torch.from_numpy(clips.read_audio(row)), "labels": labels})
    norms = {}
    for size in (8, 4, 2, 1):
        model = AutoModelForCTC.from_pretrained(folder / "wav2vec2_ctc", ctc_loss_reduction="mean")
        take_randomness_out(model)
        with tempfile.TemporaryDirectory() as directory, silence():
            arguments = TrainingArguments(
                directory, per_device_train_batch_size=size, gradient_accumulation_steps=8 // size,
                max_steps=1, logging_steps=1, optim="sgd", max_grad_norm=1e9, save_strategy="no",
                use_cpu=True, report_to="none", disable_tqdm=True,
            )  # fmt: skip
            trainer = Trainer(model, arguments, train_dataset=rows)
            trainer.train()
        norms[size] = trainer.state.log_history[0]["grad_norm"]
    return {f"{8 // size} x {size}": norms[size] / norms[8] for size in (4, 2, 1)}


def report(name: str, folder: Path, ranks: dict[str, Any], steps: int) -> list[str]:
    """One line of the table."""
    cells = []
    for dtype in (torch.float64, torch.float32):
        full = outcome(build(name, folder, dtype), FULL)
        worst, where = 0.0, ""
        found = {
            split: outcome(build(name, folder, dtype), batches).gradients
            for split, batches in SPLITS.items()
        } | {split: ranks[key_of(name, f"{split} {dtype}")] for split in RANK_SPLITS}
        for split, gradients in found.items():
            if (far := difference(gradients, full.gradients)) >= worst:
                worst, where = far, split
        cells.append(f"{worst:.0e} ({where})")
    alone = several_steps(name, folder, EPOCH, steps)
    cells.append(f"{difference(ranks[key_of(name, 'weights')], alone):.0e}")
    cells.append(cost(name, folder, frozen_norms=False, seconds=EQUAL_SECONDS))
    cells.append(cost(name, folder, frozen_norms=True, seconds=MIXED_SECONDS))
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--families", nargs="*", default=list(FAMILIES), choices=FAMILIES)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--rank-of", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.rank_of:
        work_as_rank(json.loads(arguments.rank_of))
        return
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        for name in arguments.families:
            build(name, folder, torch.float32)  # writes the stand-ins
        ranks = on_two_ranks(arguments.families, folder, steps=arguments.steps)
        after = f"weights, {arguments.steps} steps"
        print(f"| family | fp64 | fp32 | {after} | live BatchNorm | padding |")
        print("|---|---|---|---|---|---|")
        for name in arguments.families:
            cells = report(name, folder, ranks, arguments.steps)
            print(f"| {name} | {' | '.join(cells)} |", flush=True)
        standin(folder, "wav2vec2_ctc")
        ratios = plain_trainer_ratios(folder)
    listed = ", ".join(f"{split}: {ratio:.2f} times" for split, ratio in ratios.items())
    print(f"\nplain transformers Trainer, gradient norm against one batch of eight: {listed}")


if __name__ == "__main__":
    main()
