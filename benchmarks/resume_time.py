"""How long a training waits for its first step when it resumes at step 10,000.

    python benchmarks/resume_time.py [--rows 1000000] [--step 10000] [--repeats 3]

The rows of the embedded corpus are repeated to a million, and the smallest model is trained on
them with two data workers: from the beginning, and from a checkpoint at that step (one of step 1
with its number written over). Measured is the time from the start of the training loop, loading
the optimizer included and the model not, to the end of the first step; the median of each, and
their ratio.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from mynah.checkpoints import commit as checkpoints
from mynah.config.hydra.compose import compose
from mynah.data.preparation.prepare import prepare
from mynah.models import registry
from mynah.training import engine, trainer
from mynah.training.arguments import steps_per_epoch
from mynah.training.gradient import StepGradient
from mynah.training.sizing.batch_size import batch_plan

SETTINGS = (
    "model=small", "model.language_model=none", "data.synthesis.train_sentences=200",
    "data.synthesis.eval_sentences=4", "training.per_device_train_batch_size=8",
    "training.dataloader_num_workers=2", "training.eval_strategy=no",
    "training.load_best_model_at_end=false", "training.report_to=[]",
    "training.save_strategy=no", "training.use_cpu=true", "training.disable_tqdm=true",
    "training.warmup_steps=10",
)  # fmt: skip


class FirstStepError(BaseException):
    """Raised once the first step is done: nothing more is measured."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--step", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    began = 0.0

    def settings(steps: int) -> Any:
        return compose([*SETTINGS, f"training.max_steps={steps}"]).config

    config = settings(1)
    few = prepare(config.data, working_directory=Path.cwd()).train
    assert few is not None
    corpus = few.select(np.resize(np.arange(len(few)), arguments.rows))
    plan = batch_plan(corpus, config)

    def train(steps: int, output: Path, resume: Path | None) -> None:
        family = registry.build(
            config.model, texts=few.texts, sample_rate=corpus.sample_rate, offline=True
        )
        trainer.train(
            family, corpus, plan, settings(steps), output_directory=output,
            evaluate=lambda step: {}, resume=resume,
        )  # fmt: skip

    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        train(1, model, None)
        checkpoint = at_step(model / "checkpoint-1", arguments.step, steps_per_epoch(plan, config))
        loop = engine.MynahTrainer.get_train_dataloader
        finish = StepGradient.finish

        def begin(*positional: Any, **named: Any) -> Any:
            nonlocal began
            began = time.monotonic()
            return loop(*positional, **named)

        def end(*positional: Any) -> None:
            finish(*positional)
            raise FirstStepError

        engine.MynahTrainer.get_train_dataloader = begin  # type: ignore[method-assign]
        StepGradient.finish = end  # type: ignore[assignment, method-assign]
        seconds: dict[str, list[float]] = {"from the beginning": [], "resumed": []}
        for number in range(2 * arguments.repeats):
            what, resume = list(zip(seconds, (None, checkpoint), strict=True))[number % 2]
            try:
                train(arguments.step + 1000, Path(folder) / str(number), resume)
            except FirstStepError:
                seconds[what].append(time.monotonic() - began)
            shutil.rmtree(Path(folder) / str(number), ignore_errors=True)
    medians = {what: statistics.median(found) for what, found in seconds.items()}
    for what, median in medians.items():
        print(f"{what}: {median:.2f} s to the end of the first step (median)")
    print(f"ratio: {medians['resumed'] / medians['from the beginning']:.2f}")


def at_step(checkpoint: Path, step: int, of_epoch: int) -> Path:
    """A copy of a checkpoint that says it is of another step."""
    made = shutil.copytree(checkpoint, checkpoint.with_name(f"checkpoint-{step}"))
    about = json.loads((made / "mynah.json").read_text())
    about["step"] = step
    (made / "mynah.json").write_text(json.dumps(about))
    state = json.loads((made / "trainer_state.json").read_text())
    state |= {"global_step": step, "epoch": step / of_epoch}
    (made / "trainer_state.json").write_text(json.dumps(state))
    checkpoints.write_sums(made)
    return made


if __name__ == "__main__":
    main()
