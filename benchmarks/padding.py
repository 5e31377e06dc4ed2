"""How much of a batch is padding, and how often a batch comes again, beside other samplers.

    python benchmarks/padding.py [--data ../shared/data] [--seconds 60 120 240]

For the durations of LibriSpeech train-clean-5 (a folder with metadata.csv) and of AN4, batches
of a budget of padded seconds are made in five ways: Mynah's plan; rows at random; a pool of
shuffled rows that is sorted by length, as transformers' ``train_sampling_strategy=group_by_length``
does with pools of 50 batches; lhotse's DynamicBucketingSampler with 30 buckets, where lhotse is
installed; and all rows sorted by length, which pads least and gives the same batches every epoch.
Printed are medians over epochs: the share of frames that is padding, the ratio of padded to real
audio beside Mynah's, batches in an epoch, and the share of batches that come again in the next.
Targets: at most 3 % and 5 %.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile

from mynah import console
from mynah.data.batches import BatchPlan

_EPOCHS = 6
_POOL_BATCHES = 50  # transformers' LengthGroupedSampler: mega-batches of 50 batches
_LHOTSE_BUCKETS = 30  # lhotse's own default is 10; its recipes take 30

Epoch = list[list[int]]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seconds", type=float, nargs="+", default=[60.0, 120.0, 240.0])
    arguments = parser.parse_args()
    corpora = {
        "LibriSpeech train-clean-5": librispeech(arguments.data),
        "AN4 train": an4(arguments.data),
    }
    for name, durations in corpora.items():
        for budget in arguments.seconds:
            compare(name, durations, budget)


def librispeech(data: Path) -> np.ndarray:
    """Seconds of each utterance, [rows]."""
    path = data / "read_speech" / "librispeech_train_clean_5" / "metadata.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return np.asarray([float(row["duration"]) for row in csv.DictReader(file)])


def an4(data: Path) -> np.ndarray:
    """Seconds of each utterance, [rows]."""
    root = data / "an4"
    names = (root / "etc" / "an4_train.fileids").read_text(encoding="utf-8").split()
    return np.asarray([soundfile.info(root / "wav" / f"{name}.sph").duration for name in names])


def compare(name: str, durations: np.ndarray, budget: float) -> None:
    """Print one table."""
    ways: dict[str, Callable[[int], Epoch]] = {
        "Mynah": mynah_epochs(durations, budget),
        "at random": lambda epoch: filled(shuffled(durations, epoch), durations, budget),
        "sorted pools": lambda epoch: sorted_pools(durations, budget, epoch),
        "sorted": lambda epoch: filled(np.argsort(-durations), durations, budget),
    }
    try:
        ways["lhotse buckets"] = lhotse_epochs(durations, budget)
    except ImportError as error:
        console.notice(f"lhotse cannot be imported, its sampler is left out: {error}")
    measured = {way: measure(epochs, durations) for way, epochs in ways.items()}
    ours = measured["Mynah"][0]
    rows = [
        [
            way,
            f"{padding:.2%}",
            f"{(1 / (1 - padding)) / (1 / (1 - ours)):.3f}",
            f"{batches:,.0f}",
            f"{again:.1%}",
        ]
        for way, (padding, batches, again) in measured.items()
    ]
    title = f"{name}, {len(durations):,} utterances, batches of {budget:g} padded seconds"
    columns = ["batches by", "padding", "frames / Mynah's", "batches", "come again"]
    console.table(title, columns, rows)
    met = measured["Mynah"][0] <= 0.03 and measured["Mynah"][2] <= 0.05
    console.say(f"at most 3 % padding, at most 5 % come again: {'met' if met else 'MISSED'}\n")


def measure(epochs: Callable[[int], Epoch], durations: np.ndarray) -> tuple[float, float, float]:
    """Medians over epochs: share of padding, batches, share that comes again."""
    made = [epochs(epoch) for epoch in range(_EPOCHS)]
    padding = [
        1
        - sum(durations[b].sum() for b in batches)
        / sum(len(b) * durations[b].max() for b in batches)
        for batches in made
    ]
    sets = [set(map(frozenset, batches)) for batches in made]
    again = [len(a & b) / len(a) for a, b in itertools.pairwise(sets)]
    return (
        statistics.median(padding),
        statistics.median(map(len, made)),
        statistics.median(again),
    )


def mynah_epochs(durations: np.ndarray, budget: float) -> Callable[[int], Epoch]:
    """Mynah's plan."""
    plan = BatchPlan(durations, seed=0, batch_seconds=budget, batch_size=None)
    return lambda epoch: [
        [row for row, _ in plan.batch(epoch, index)] for index in range(plan.batches_per_epoch)
    ]


def shuffled(durations: np.ndarray, epoch: int) -> np.ndarray:
    """All rows, in an order of this epoch."""
    return np.random.default_rng(epoch).permutation(len(durations))


def filled(order: np.ndarray, durations: np.ndarray, budget: float) -> Epoch:
    """Batches filled one after the other, as long as the budget allows."""
    batches: Epoch = [[]]
    longest = 0.0
    for row in order.tolist():
        longest = max(longest, float(durations[row]))
        if batches[-1] and longest * (len(batches[-1]) + 1) > budget:
            batches.append([])
            longest = float(durations[row])
        batches[-1].append(row)
    return batches


def sorted_pools(durations: np.ndarray, budget: float, epoch: int) -> Epoch:
    """Shuffled rows in pools of 50 batches, each sorted by length, filled in that order."""
    order = shuffled(durations, epoch)
    pool = max(round(_POOL_BATCHES * budget / float(durations.mean())), 1)
    pools = [order[start : start + pool] for start in range(0, len(order), pool)]
    return [
        batch
        for one in pools
        for batch in filled(one[np.argsort(-durations[one])], durations, budget)
    ]


def lhotse_epochs(durations: np.ndarray, budget: float) -> Callable[[int], Epoch]:
    """lhotse's DynamicBucketingSampler over cuts of these durations.

    Raises:
        ImportError: lhotse is not installed.
    """
    from lhotse import CutSet, MonoCut, Recording
    from lhotse.dataset import DynamicBucketingSampler

    rate = 16000

    def cuts() -> Iterator[MonoCut]:
        for row, seconds in enumerate(durations.tolist()):
            samples = max(round(seconds * rate), 1)
            recording = Recording(str(row), [], rate, samples, samples / rate)
            yield MonoCut(str(row), 0.0, samples / rate, 0, recording=recording)

    sampler = DynamicBucketingSampler(
        CutSet.from_cuts(cuts()).to_eager(),
        max_duration=budget,
        num_buckets=_LHOTSE_BUCKETS,
        shuffle=True,
        drop_last=False,
        seed=0,
        rank=0,
        world_size=1,
    )

    def epoch_of(epoch: int) -> Epoch:
        sampler.set_epoch(epoch)
        return [[int(cut.id) for cut in batch] for batch in sampler]

    return epoch_of


if __name__ == "__main__":
    main()
