"""What a checkpoint every 50 steps costs a training of the small model.

    python benchmarks/checkpoint_cost.py [--every 50] [--steps 150] [--repeats 3]

The small model is trained as it ships on the embedded corpus, in turn without checkpoints and
with one every so many steps; the median of the steps' seconds of each, evaluations and the last
checkpoint left out, and how much more the one takes. Beside it the share of the time that was
spent in saves, which other programs on the machine disturb less.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from mynah.config.hydra.compose import compose
from mynah.data.preparation.prepare import prepare
from mynah.models import registry
from mynah.training import trainer
from mynah.training.gradient import StepGradient
from mynah.training.resuming.saving import Checkpointer
from mynah.training.sizing.batch_size import batch_plan

SETTINGS = (
    "model=small", "model.language_model=none", "data.synthesis.train_sentences=1000",
    "data.synthesis.eval_sentences=4", "training.eval_strategy=no",
    "training.load_best_model_at_end=false", "training.report_to=[]", "training.use_cpu=true",
    "training.warmup_steps=10", "training.disable_tqdm=true", "training.logging_steps=50",
)  # fmt: skip


class StepsDoneError(BaseException):
    """Raised at the last step: its checkpoint is written in any case."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    save, finish = Checkpointer.save, StepGradient.finish
    times: list[float] = []
    saving = 0.0

    def timed_save(*positional: Any, **named: Any) -> None:
        nonlocal saving
        began = time.monotonic()
        save(*positional, **named)
        saving += time.monotonic() - began

    def counted(*positional: Any) -> None:
        finish(*positional)
        times.append(time.monotonic())
        if len(times) > arguments.steps + 1:  # so that the save after the last step counts
            raise StepsDoneError

    Checkpointer.save = timed_save  # type: ignore[method-assign]
    StepGradient.finish = counted  # type: ignore[assignment, method-assign]
    config = compose(list(SETTINGS)).config
    corpus = prepare(config.data, working_directory=Path.cwd()).train
    assert corpus is not None
    plan = batch_plan(corpus, config)
    seconds: dict[str, list[float]] = {"no": [], "steps": []}
    shares = []
    for number in range(2 * arguments.repeats):
        strategy = list(seconds)[number % 2]
        times, saving = [], 0.0
        chosen = compose(
            [*SETTINGS, f"training.save_strategy={strategy}",
             f"training.save_steps={arguments.every}",
             f"training.max_steps={arguments.steps + 100}"]
        ).config  # fmt: skip
        family = registry.build(
            chosen.model, texts=corpus.texts, sample_rate=corpus.sample_rate, offline=True
        )
        with tempfile.TemporaryDirectory() as folder:
            try:
                trainer.train(
                    family, corpus, plan, chosen, output_directory=Path(folder) / "model",
                    evaluate=lambda step: {},
                )  # fmt: skip
            except StepsDoneError:
                full = times[-1] - times[0]
        seconds[strategy].append(full / (len(times) - 1))
        if strategy == "steps":
            shares.append(saving / (full - saving))
    without, with_saves = (statistics.median(found) for found in seconds.values())
    print(f"a step without checkpoints: {1000 * without:.1f} ms (median)")
    print(f"with one every {arguments.every} steps: {1000 * with_saves:.1f} ms (median)")
    print(f"more time a step: {with_saves / without - 1:+.2%}")
    print(f"time in saves to time in steps: {statistics.median(shares):.2%} (median)")


if __name__ == "__main__":
    main()
