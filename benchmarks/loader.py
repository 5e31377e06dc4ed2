"""What the loader costs beside what it has to do: decoding, features, augmentation.

    python benchmarks/loader.py [data=an4 data.path=PATH] [--repeats 7] [--steps 60]

Prints two ratios for the small model, by default on the small embedded corpus (any settings of
`mynah train` choose another), each the median of several repeats:

1. Audio a second through the loader (row, transcript, collation, and of one worker the way
   between processes) to audio a second of the same calls, decoding and features and where it is
   on augmentation, in a bare loop over the same recordings in the same order. The two take turns
   batch by batch, so that both meet the machine in the same state.
2. The share of a training step that is spent waiting for data, with one data worker and with
   none.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from mynah.config.compose import compose
from mynah.config.schema import AugmentationConfig
from mynah.data.augmentation.chain import Augmentation
from mynah.data.batches import BatchPlan
from mynah.data.corpus import Corpus
from mynah.data.prepare import prepare
from mynah.models import registry
from mynah.runtime import seed_everything
from mynah.training.dataset import PlanSampler, TrainingRows
from mynah.training.loader import make_loader

# What a person would turn on for hours of training; AN4's settings with rooms beside them.
AUGMENTED = AugmentationConfig(
    speed_factors=[0.9, 1.0, 1.1], gain_db=6.0, noise_snr_db=[15.0, 40.0], room_probability=0.3
)
_WARM_STEPS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("settings", nargs="*", default=[], help="as of mynah train")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--steps", type=int, default=60)
    arguments = parser.parse_args()
    chosen = [] if any("data=" in text for text in arguments.settings) else ["data=small"]
    config = compose(["model=small", *chosen, *arguments.settings]).config
    corpus = prepare(config.data, working_directory=Path.cwd()).train
    assert corpus is not None
    seed_everything(config.training.seed)
    family = registry.build(
        config.model, texts=list(corpus.texts), sample_rate=corpus.sample_rate, offline=True
    )
    plan = BatchPlan(
        corpus.durations,
        seed=config.training.seed,
        batch_seconds=config.training.batch_seconds,
        batch_size=None,
    )
    print(f"{len(corpus):,} utterances, {corpus.hours:.2f} h")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a data worker
    for name, settings in (("none", AugmentationConfig()), ("on", AUGMENTED)):
        augmentation = Augmentation.open(settings, sample_rate=corpus.sample_rate, seed=1)
        for workers in (0, 1):
            ratios, speeds = [], []
            for epoch in range(1 + arguments.repeats):
                bare, loaded = turns(family, corpus, plan, augmentation, epoch, workers)
                if epoch:  # the first fills caches
                    ratios.append(bare / loaded)
                    speeds.append(corpus.hours * 3600 / loaded)
            print(
                f"augmentation {name}, {workers} workers: {statistics.median(speeds):,.0f} s of "
                f"audio a second, {statistics.median(ratios):.2f} of the bare loop "
                f"({min(ratios):.2f} to {max(ratios):.2f})"
            )
    torch.set_num_threads(threads)
    augmentation = Augmentation.open(
        config.data.augmentation, sample_rate=corpus.sample_rate, seed=1
    )
    waits: dict[int, list[float]] = {0: [], 1: []}
    steps: dict[int, list[float]] = {0: [], 1: []}
    for _ in range(arguments.repeats):
        for workers in waits:
            share, seconds = waiting(family, corpus, plan, augmentation, workers, arguments.steps)
            waits[workers].append(share)
            steps[workers].append(seconds)
    for workers, shares in waits.items():
        print(
            f"training with {workers} workers: {statistics.median(steps[workers]) * 1000:.0f} ms "
            f"a step, {statistics.median(shares):.2%} of it waiting for data "
            f"({min(shares):.2%} to {max(shares):.2%})"
        )


def turns(
    family: Any,
    corpus: Corpus,
    plan: BatchPlan,
    augmentation: Augmentation,
    epoch: int,
    workers: int,
) -> tuple[float, float]:
    """Seconds of one epoch in a bare loop and through the loader, which take turns.

    With a worker the two cannot take turns inside an epoch, for it reads ahead: there the
    epoch goes through the loader after it went through the loop.
    """
    sampler = PlanSampler(plan)
    sampler.begin(epoch, 0)
    rows = TrainingRows(family, corpus, augmentation)
    options = {"prefetch_factor": 2} if workers else {}
    batches: Iterator[Any] = iter(
        make_loader(rows, sampler, pin_memory=False, num_workers=workers, **options)
    )
    paths = [corpus.audio_file(row) for row in range(len(corpus))]
    lists = [[row for row, _ in plan.batch(epoch, k)] for k in range(plan.batches_per_epoch)]
    bare = loaded = 0.0
    if not workers:
        for listed in lists:
            bare += bare_loop(family, corpus, augmentation, epoch, listed, paths)
            loaded += timed(lambda: next(batches))
        return bare, loaded
    # The worker's first batches come while it starts: what is timed begins behind them.
    first = [next(batches) for _ in range(min(_WARM_STEPS, len(lists) - 1))]
    started = time.perf_counter()
    for _ in batches:
        pass
    loaded = time.perf_counter() - started
    for listed in lists[len(first) :]:
        bare += bare_loop(family, corpus, augmentation, epoch, listed, paths)
    return bare, loaded


def bare_loop(
    family: Any,
    corpus: Corpus,
    augmentation: Augmentation,
    epoch: int,
    rows: Sequence[int],
    paths: Sequence[Path | None],
) -> float:
    """Seconds that decoding, augmentation and features of some rows take, and nothing else."""
    from mynah.data import audio

    ids = [corpus.ids[row] for row in rows]
    started = time.perf_counter()
    for row, name in zip(rows, ids, strict=True):
        path = paths[row]
        samples = corpus.read_audio(row) if path is None else audio.read(path, corpus.sample_rate)
        drawn = augmentation.draw(epoch=epoch, utterance_id=name)
        made = family.features(augmentation.waveform(samples, drawn))
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
    workers: int,
    steps: int,
) -> tuple[float, float]:
    """Share of the time of training steps that is spent waiting, and seconds a step."""
    sampler = PlanSampler(plan)
    rows = TrainingRows(family, corpus, augmentation)
    options = {"prefetch_factor": 2, "persistent_workers": True} if workers else {}
    loader = make_loader(rows, sampler, pin_memory=False, num_workers=workers, **options)
    model = family.model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    waited, began, done, epoch = 0.0, 0.0, 0, 0
    while done < steps + _WARM_STEPS:
        sampler.begin(epoch, 0)
        batches = iter(loader)
        while done < steps + _WARM_STEPS:
            if done == _WARM_STEPS:
                waited, began = 0.0, time.perf_counter()
            asked = time.perf_counter()
            batch = next(batches, None)
            waited += time.perf_counter() - asked
            if batch is None:
                break
            loss = family.loss(model, batch["tensors"])
            (loss.total / loss.count).backward()
            optimizer.step()
            optimizer.zero_grad()
            done += 1
        epoch += 1
    seconds = time.perf_counter() - began
    return waited / seconds, seconds / steps


if __name__ == "__main__":
    main()
