"""What the loader costs beside what it has to do: decoding, features, augmentation.

    python benchmarks/loader.py [data=an4 data.path=PATH] [--repeats 9] [--steps 100]

Prints two ratios for the small model, by default on the default corpus (any settings of
`mynah train` choose another), each the median of several repeats:

1. Audio a second through the loader (row, transcript, collation, and of one worker the way
   between processes) to audio a second of the same calls, decoding and features and where it is
   on augmentation, in a bare loop over the same recordings in the same order. The two take turns
   batch by batch, so that both meet the machine in the same state. In the first epoch every
   transcript is looked up and tokenized; later epochs continue with the same loader, as a training
   does. With a worker, the loop runs before and after an epoch of the loader.
2. The share of a training step that is spent waiting for data, with one data worker and with
   none, and how long a step is; beside them steps on batches that are in memory already. What a
   step with a worker takes longer is the worker's own work on cores that the training uses.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from mynah.config.hydra.compose import compose
from mynah.config.schema import AugmentationConfig
from mynah.data.augmentation.chain import Augmentation
from mynah.data.batches import BatchPlan
from mynah.data.corpus import Corpus
from mynah.data.preparation.prepare import prepare
from mynah.data.read_ahead import ReadAhead
from mynah.machine import seed_everything
from mynah.models import registry
from mynah.training.loading.dataset import PlanSampler, TrainingRows
from mynah.training.loading.loader import make_loader

# What a person would turn on for hours of training; AN4's settings with rooms beside them.
AUGMENTED = AugmentationConfig(
    speed_factors=[0.9, 1.0, 1.1], gain_db=6.0, noise_snr_db=[15.0, 40.0], room_probability=0.3
)
_WARM_STEPS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("settings", nargs="*", default=[], help="as of mynah train")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--utterances", type=int, default=400, help="of an epoch of the first")
    arguments = parser.parse_args()
    config = compose(["model=small", *arguments.settings]).config
    full = prepare(config.data, working_directory=Path.cwd()).train
    assert full is not None
    corpus = full.select(range(min(len(full), arguments.utterances)))
    seed_everything(config.training.seed)
    family = registry.build(
        config.model, texts=list(full.texts), sample_rate=corpus.sample_rate, offline=True
    )
    plan, plan_of_all = (
        BatchPlan(
            split.durations,
            seed=config.training.seed,
            batch_seconds=config.training.batch_seconds,
            batch_size=None,
        )
        for split in (corpus, full)
    )
    print(f"{len(corpus):,} of {len(full):,} utterances, {corpus.hours:.2f} of {full.hours:.2f} h")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a data worker
    for name, settings in (("none", AugmentationConfig()), ("on", AUGMENTED)):
        augmentation = Augmentation.open(settings, sample_rate=corpus.sample_rate, seed=1)
        for workers in (0, 1):
            turns = Turns(family, corpus, plan, augmentation, workers)
            turns.epoch(0)  # fills the caches of the files
            first, later = [], []
            for _ in range(arguments.repeats):
                turns = Turns(family, corpus, plan, augmentation, workers)
                first.append(turns.epoch(1))
                later.append(turns.epoch(2))
            for epochs, found in (("first epoch ", first), ("later epochs", later)):
                ratios = [bare / loaded for bare, loaded, _ in found]
                speed = statistics.median(seconds / loaded for _, loaded, seconds in found)
                print(
                    f"augmentation {name:4}, {workers} workers, {epochs}: {speed:,.0f} s of audio "
                    f"a second, {statistics.median(ratios):.2f} of the bare loop "
                    f"({min(ratios):.2f} to {max(ratios):.2f})"
                )
    torch.set_num_threads(threads)
    augmentation = Augmentation.open(
        config.data.augmentation, sample_rate=corpus.sample_rate, seed=1
    )
    waits: dict[int | None, list[float]] = {None: [], 0: [], 1: []}
    steps: dict[int | None, list[float]] = {None: [], 0: [], 1: []}
    for _ in range(arguments.repeats):
        for made_by in waits:
            share, seconds = waiting(
                family, full, plan_of_all, augmentation, made_by, arguments.steps
            )
            waits[made_by].append(share)
            steps[made_by].append(seconds)
    for made_by, shares in waits.items():
        how = "from memory" if made_by is None else f"with {made_by} workers"
        print(
            f"training {how}: {statistics.median(steps[made_by]) * 1000:.0f} ms a step, "
            f"{statistics.median(shares):.2%} of it waiting for data "
            f"({min(shares):.2%} to {max(shares):.2%})"
        )


class Turns:
    """A bare loop and the loader of a training, which take turns."""

    def __init__(
        self, family: Any, corpus: Corpus, plan: BatchPlan, augmentation: Augmentation, workers: int
    ) -> None:
        self._family, self._corpus, self._plan = family, corpus, plan
        self._augmentation, self._workers = augmentation, workers
        self._sampler = PlanSampler(plan)
        self._loader = training_loader(family, corpus, self._sampler, augmentation, workers)
        self._paths = [corpus.audio_file(row) for row in range(len(corpus))]

    def epoch(self, epoch: int) -> tuple[float, float, float]:
        """Seconds of one epoch in the loop and through the loader, and seconds of its audio.

        With a worker the two cannot take turns inside an epoch, for it reads ahead: there the
        epoch goes through the loader between two times through the loop, which count half.
        """
        plan = self._plan
        lists = [[row for row, _ in plan.batch(epoch, k)] for k in range(plan.batches_per_epoch)]
        self._sampler.begin(epoch, 0)
        batches: Iterator[Any] = iter(self._loader)
        bare = loaded = 0.0
        if self._workers:
            # The worker's first batches come while it starts: what is timed begins behind them.
            warm = min(_WARM_STEPS, len(lists) - 1)
            lists = lists[warm:]
            bare += sum(self._bare(epoch, listed) for listed in lists) / 2
            for _ in range(warm):
                next(batches)
            started = time.perf_counter()
            for _ in batches:
                pass
            loaded = time.perf_counter() - started
            bare += sum(self._bare(epoch, listed) for listed in lists) / 2
        else:
            for listed in lists:
                bare += self._bare(epoch, listed)
                loaded += timed(lambda: next(batches))
        seconds = sum(float(self._corpus.durations[row]) for listed in lists for row in listed)
        return bare, loaded, seconds

    def _bare(self, epoch: int, rows: Sequence[int]) -> float:
        return bare_loop(self._family, self._corpus, self._augmentation, epoch, rows, self._paths)


def training_loader(
    family: Any, corpus: Corpus, sampler: PlanSampler[Any], augmentation: Augmentation, workers: int
) -> Any:
    """The loader as a training makes it."""
    options = {"prefetch_factor": 2, "persistent_workers": True} if workers else {}
    rows = TrainingRows(family, corpus, augmentation)
    return make_loader(rows, sampler, pin_memory=False, num_workers=workers, **options)


def bare_loop(
    family: Any,
    corpus: Corpus,
    augmentation: Augmentation,
    epoch: int,
    rows: Sequence[int],
    paths: Sequence[Path | None],
) -> float:
    """Seconds that decoding, augmentation and features of some rows take, and nothing else."""
    from mynah.data.audio import files

    ids = [corpus.ids[row] for row in rows]
    started = time.perf_counter()
    for row, name in zip(rows, ids, strict=True):
        path = paths[row]
        samples = corpus.read_audio(row) if path is None else files.read(path, corpus.sample_rate)
        sampled = augmentation.draw(epoch=epoch, utterance_id=name)
        made = family.features(augmentation.waveform(samples, sampled))
        augmentation.features(made, epoch=epoch, utterance_id=name)
    return time.perf_counter() - started


def timed(action: Any) -> float:
    """Seconds that a call takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def waiting(
    family: Any,
    corpus: Corpus,
    plan: BatchPlan,
    augmentation: Augmentation,
    workers: int | None,
    steps: int,
) -> tuple[float, float]:
    """Share of the time of training steps that is spent waiting, and seconds a step.

    Without a number of workers the batches are in memory before the first step.
    """
    sampler = PlanSampler(plan)
    loader = training_loader(family, corpus, sampler, augmentation, workers or 0)
    model = family.model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    batches: Any
    waited, began, done, epoch = 0.0, 0.0, 0, 0
    while done < steps + _WARM_STEPS:
        sampler.begin(epoch, 0)
        batches = iter(loader)
        if workers is None:
            batches = iter(list(itertools.islice(batches, steps + _WARM_STEPS - done)))
        if workers:
            batches = ReadAhead(batches, held=1, count=plan.batches_per_epoch, name="batches")
        while done < steps + _WARM_STEPS:
            if done == _WARM_STEPS:
                waited, began = 0.0, time.perf_counter()
            asked = time.perf_counter()
            batch = next(batches, None)
            waited += time.perf_counter() - asked
            if batch is None:
                break
            if workers:
                batches.read_on()
            loss = family.loss(model, batch["tensors"])
            (loss.total / loss.count).backward()
            optimizer.step()
            optimizer.zero_grad()
            done += 1
        if workers:
            batches.close()
        epoch += 1
    seconds = time.perf_counter() - began
    return waited / seconds, seconds / steps


if __name__ == "__main__":
    main()
