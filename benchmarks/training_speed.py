"""A training from scratch, against bare loops over the same batches in memory.

    python benchmarks/training_speed.py [data=an4 data.path=PATH] [--steps 60] [--repeats 5]
        [--threads 1]

Three ways take turns, each with the model of `model=fastconformer` from the same seed (any
settings of `mynah train` choose another), and are timed behind the steps that warm them up:

- ours: a training as `mynah train` runs it: one data worker, features, transformers' Trainer, the
  guards, clipping, the schedule, the optimizer that is the default.
- bare loop: the same model and optimizer over the same batches, which are in memory already:
  forward, backward, clipping, the optimizer's step.
- by hand: transformers' own ParakeetForCTC, without what Mynah changes in its layers, with torch's
  fused AdamW, over the same batches.

Printed are milliseconds a step by the clock and by the training process's own CPU seconds (which a
busy machine changes less, and which leave the data worker out), and the medians of the ratios.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import turns

from mynah import console
from mynah.config.hydra.compose import compose
from mynah.config.schema import Config
from mynah.data.augmentation.chain import Augmentation
from mynah.data.batches import BatchPlan
from mynah.data.corpus import Corpus
from mynah.data.preparation.prepare import prepare
from mynah.machine import seed_everything
from mynah.models import registry
from mynah.models.family import Family
from mynah.training import trainer
from mynah.training.loading.dataset import PlanSampler, TrainingRows
from mynah.training.loading.loader import make_loader
from mynah.training.optimizers import muon

WAYS = ("ours", "bare loop", "by hand")


@dataclass
class Clock:
    """When the steps behind the warm ones begin and end, and the process's CPU seconds then."""

    marks: list[tuple[float, float]] = field(default_factory=list)

    def mark(self) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        self.marks.append((time.perf_counter(), used.ru_utime + used.ru_stime))

    def a_step(self, steps: int) -> tuple[float, float]:
        """Seconds of a step by the clock, and CPU seconds."""
        (began, used), (ended, used_then) = self.marks[0], self.marks[-1]
        return (ended - began) / steps, (used_then - used) / steps


@dataclass(frozen=True)
class Case:
    """What all ways train."""

    config: Config
    corpus: Corpus
    texts: list[str]
    plan: BatchPlan
    steps: int
    warm: int

    def family(self) -> Family:
        """The model at its beginning."""
        seed_everything(self.config.training.seed)
        return registry.build(
            self.config.model, texts=self.texts, sample_rate=self.corpus.sample_rate, offline=True
        )

    def batches(self) -> list[dict[str, torch.Tensor]]:
        """The batches of the steps that are timed and of the warm ones, as a training has them."""
        augmentation = Augmentation.open(
            self.config.data.augmentation, sample_rate=self.corpus.sample_rate, seed=1
        )
        rows = TrainingRows(self.family(), self.corpus, augmentation)
        made: list[dict[str, torch.Tensor]] = []
        epoch = 0
        while len(made) < self.warm + self.steps:
            sampler = PlanSampler(self.plan)
            sampler.begin(epoch, 0)
            made += [
                batch["tensors"]
                for batch in make_loader(rows, sampler, pin_memory=False, num_workers=0)
            ]
            epoch += 1
        return made[: self.warm + self.steps]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("settings", nargs="*", default=[], help="as of mynah train")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--warm", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--profile", type=Path, help="write cProfile's statistics of ours here")
    arguments = parser.parse_args()
    case = _case(arguments)
    torch.set_num_threads(arguments.threads)
    if arguments.profile:
        _profile(case, arguments.profile)
        return
    batches = case.batches()
    ways: dict[str, Callable[[], tuple[float, float]]] = {
        "ours": lambda: _ours(case),
        "bare loop": lambda: _bare_loop(case, batches),
        "by hand": lambda: _by_hand(case, batches),
    }
    wall: dict[str, list[float]] = {name: [] for name in WAYS}
    used: dict[str, list[float]] = {name: [] for name in WAYS}
    for repeat in range(arguments.repeats):
        for name in WAYS[:: 1 if repeat % 2 else -1]:
            seconds, cpu = ways[name]()
            wall[name].append(seconds)
            used[name].append(cpu)
    print(
        f"{case.steps} steps of {case.config.training.batch_seconds:g} s behind {case.warm} warm "
        f"ones, {arguments.threads} threads, {arguments.repeats} turns"
    )
    for name in WAYS:
        print(
            f"{name:>10}: {1000 * statistics.median(wall[name]):6.1f} ms a step, "
            f"{1000 * statistics.median(used[name]):6.1f} ms of CPU"
        )
    for slow in WAYS[1:]:
        middle, least, most = turns.ratios(wall["ours"], wall[slow])
        cpu, *_ = turns.ratios(used["ours"], used[slow])
        print(
            f"ours against {slow}: {middle:.2f} x the steps ({least:.2f} to {most:.2f}), "
            f"{cpu:.2f} by CPU seconds"
        )


def _case(arguments: argparse.Namespace) -> Case:
    steps = arguments.warm + arguments.steps
    config = compose(
        [
            *("model=fastconformer", "data=general"),
            *arguments.settings,
            *(f"training.max_steps={steps}", f"training.eval_steps={arguments.warm}"),
            *("training.save_strategy=no", "training.load_best_model_at_end=false"),
            *("training.report_to=[]", "training.logging_steps=100", "model.language_model=none"),
            *("training.dataloader_num_workers=1", f"training.cpu_threads={arguments.threads}"),
        ]
    ).config
    corpus = prepare(config.data, working_directory=Path.cwd()).train
    assert corpus is not None
    plan = BatchPlan(
        corpus.durations,
        seed=config.training.seed,
        batch_seconds=config.training.batch_seconds,
        batch_size=None,
    )
    return Case(config, corpus, list(corpus.texts), plan, arguments.steps, arguments.warm)


def _ours(case: Case) -> tuple[float, float]:
    """A training; its evaluations, at the warm step and at the end, are the marks of the clock."""
    clock = Clock()

    def evaluate(step: int) -> Mapping[str, float]:
        if step in (case.warm, case.warm + case.steps):
            clock.mark()
        return {"eval_wer": 1.0}

    console.hush(True)
    with tempfile.TemporaryDirectory() as folder:
        trainer.train(
            case.family(),
            case.corpus,
            case.plan,
            case.config,
            output_directory=Path(folder) / "model",
            evaluate=evaluate,
        )
    return clock.a_step(case.steps)


def _bare_loop(case: Case, batches: list[dict[str, torch.Tensor]]) -> tuple[float, float]:
    family, training = case.family(), case.config.training
    model = family.model.train()
    rate = training.learning_rate
    assert rate is not None
    betas = (training.adam_beta1, training.adam_beta2)
    optimizer = muon.build_muon(model, set(), lr=rate, weight_decay=0.01, betas=betas, eps=1e-8)

    def backward(batch: dict[str, torch.Tensor]) -> None:
        loss = family.loss(model, batch)
        (loss.total / loss.count).backward()

    return _loop(case, batches, model, optimizer, backward)


def _by_hand(case: Case, batches: list[dict[str, torch.Tensor]]) -> tuple[float, float]:
    from transformers import ParakeetForCTC

    model = ParakeetForCTC(case.family().model.config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)

    def backward(batch: dict[str, torch.Tensor]) -> None:
        model(
            input_features=batch["input_features"],
            attention_mask=batch["attention_mask"],
            labels=batch["labels"],
        ).loss.backward()

    return _loop(case, batches, model, optimizer, backward)


def _loop(
    case: Case,
    batches: list[dict[str, torch.Tensor]],
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    backward: Callable[[dict[str, torch.Tensor]], None],
) -> tuple[float, float]:
    clock = Clock()
    for step, batch in enumerate(batches):
        if step == case.warm:
            clock.mark()
        backward(batch)
        torch.nn.utils.clip_grad_norm_(model.parameters(), case.config.training.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
    clock.mark()
    return clock.a_step(case.steps)


def _profile(case: Case, to: Path) -> None:
    import cProfile

    profiler: Any = cProfile.Profile(time.process_time)
    profiler.enable()
    _ours(case)
    profiler.disable()
    profiler.dump_stats(to)


if __name__ == "__main__":
    main()
