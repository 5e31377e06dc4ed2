"""The share of a cluster's time that is lost to waiting for the slowest rank of each step.

    python benchmarks/stragglers.py [--data ../shared/data] [--ranks 8 64 1024] [--seconds 240]

A simulation: nothing is trained. Lengths are those of LibriSpeech train-clean-5 (a folder with
metadata.csv), sampled as often as --steps steps of so many ranks need, each by up to 1 % longer or
shorter. A batch costs its padded seconds, and for attention, which grows with the square of the
length, --attention of the cost of a recording of 15 s. All ranks of a step wait for the costliest
batch among theirs. Batches are made in four ways: Mynah's plan; rows at random, filled to the
budget; a fixed number of rows at random, as a plain DataLoader; and lhotse's
DynamicBucketingSampler with 30 buckets, synchronized, where lhotse is installed. Printed are the
share of all ranks' time that is spent waiting, and the share that is spent on padding or waiting:
what is left is work. A last step without a batch for each rank is left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from padding import filled, librispeech

from mynah import console
from mynah.data.batches import BatchPlan

_LHOTSE_BUCKETS = 30
_TYPICAL_SECONDS = 15.0

Batch = list[int]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--ranks", type=int, nargs="+", default=[8, 64, 1024])
    parser.add_argument("--seconds", type=float, default=240.0)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--attention", type=float, default=0.2)
    arguments = parser.parse_args()
    measured = librispeech(arguments.data)
    for ranks in arguments.ranks:
        lengths = sampled(measured, arguments.seconds * ranks * arguments.steps)
        lines = []
        for name, made in ways(lengths, arguments.seconds, ranks, arguments.steps).items():
            waiting, lost = losses(made, lengths, ranks, arguments.attention)
            lines.append([name, f"{waiting:.1%}", f"{lost:.1%}"])
        hours = lengths.sum() / 3600
        title = f"{ranks:,} ranks, {arguments.seconds:g} s each, {hours:,.0f} hours"
        console.table(title, ["batches by", "waiting", "waiting or padding"], lines)


def sampled(lengths: np.ndarray, seconds: float) -> np.ndarray:
    """float64 [rows]: so many seconds of rows with these lengths."""
    draw = np.random.default_rng(0)
    rows = round(seconds / float(lengths.mean()))
    return draw.choice(lengths, rows) * draw.uniform(0.99, 1.01, rows)


def ways(lengths: np.ndarray, seconds: float, ranks: int, steps: int) -> dict[str, Iterator[Batch]]:
    """The batches of each way, those of a step behind each other."""
    shuffled = np.random.default_rng(1).permutation(len(lengths))
    fixed = max(int(seconds / lengths.mean()), 1)
    found: dict[str, Iterator[Batch]] = {
        "Mynah": mynah(lengths, seconds, ranks),
        "at random, filled": iter(filled(shuffled, lengths, seconds)),
        f"at random, {fixed} rows": (
            shuffled[start : start + fixed].tolist() for start in range(0, len(shuffled), fixed)
        ),
    }
    try:
        found["lhotse buckets"] = islice(lhotse(lengths, seconds, ranks), ranks * steps)
    except ImportError as error:
        console.notice(f"lhotse cannot be imported, its sampler is left out: {error}")
    return found


def mynah(lengths: np.ndarray, seconds: float, ranks: int) -> Iterator[Batch]:
    """Mynah's plan."""
    plan = BatchPlan(lengths, seed=0, batch_seconds=seconds, batch_size=None, world_size=ranks)
    for step in range(plan.batches_per_epoch):
        for rank in range(ranks):
            yield [row for row, weight in plan.batch(0, step, rank) if weight]


def lhotse(lengths: np.ndarray, seconds: float, ranks: int) -> Iterator[Batch]:
    """lhotse's sampler, which gives a step's batches one after the other.

    Raises:
        ImportError: lhotse is not installed.
    """
    from lhotse import CutSet, MonoCut, Recording
    from lhotse.dataset import DynamicBucketingSampler

    def cuts() -> Iterator[MonoCut]:
        for row, length in enumerate(lengths.tolist()):
            samples = max(round(length * 16000), 1)
            recording = Recording(str(row), [], 16000, samples, samples / 16000)
            yield MonoCut(str(row), 0.0, samples / 16000, 0, recording=recording)

    sampler = DynamicBucketingSampler(
        CutSet.from_cuts(cuts()).to_eager(), max_duration=seconds, num_buckets=_LHOTSE_BUCKETS,
        shuffle=True, drop_last=True, seed=0, rank=0, world_size=ranks,
    )  # fmt: skip

    def batches() -> Iterator[Batch]:
        iter(sampler)
        while True:
            try:
                batch = sampler._next_batch()  # one rank's alone comes from next()
            except StopIteration:
                return
            yield [int(cut.id) for cut in batch]

    return batches()


def losses(
    batches: Iterator[Batch], lengths: np.ndarray, ranks: int, attention: float
) -> tuple[float, float]:
    """Shares of all ranks' time: spent waiting, and spent waiting or on padding."""
    share = attention / (1 - attention) / _TYPICAL_SECONDS
    spent = worked = useful = 0.0
    while len(step := list(islice(batches, ranks))) == ranks:
        costs = []
        for batch in step:
            found = lengths[batch]
            longest = float(found.max()) if len(found) else 0.0
            costs.append(len(found) * longest * (1 + share * longest))
            useful += float((found * (1 + share * found)).sum())
        spent += ranks * max(costs)
        worked += sum(costs)
    return 1 - worked / spent, 1 - useful / spent


if __name__ == "__main__":
    main()
