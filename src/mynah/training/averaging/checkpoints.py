"""The average of a training's best checkpoints: made at its end, measured, and its model where it
is as good as the best of them."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mynah import console, distributed
from mynah.checkpoints import commit as checkpoints
from mynah.config.best_metric import best_metric, greater_is_better
from mynah.config.plugins.metrics import METRICS
from mynah.files import read_json

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.corpus import Corpus
    from mynah.evaluation.evaluate import Evaluation
    from mynah.models.family import Family
    from mynah.training.trainer import TrainingResult

_ABOUT = "mynah.json"


def averaged(
    outcome: TrainingResult, config: Config, corpora: Mapping[str, Corpus], output: Path
) -> tuple[TrainingResult, dict[str, Evaluation]]:
    """The outcome with the average of its best checkpoints, where one is asked for.

    Args:
        outcome: What the training came to.
        config: The settings.
        corpora: What is measured while training, by split, the one that chooses first.
        output: Where the checkpoints and the model lie.

    Returns:
        It, and what its model came to, by split; empty where that is not an average.

    Raises:
        UserError: The average cannot be written.
    """
    from mynah.evaluation.measured_model import loaded
    from mynah.evaluation.splits import PeriodicEvaluation

    found: dict[str, Evaluation] = {}

    def measure(family: Family) -> dict[str, float]:
        evaluation = PeriodicEvaluation(config, family, corpora)
        scores = evaluation(outcome.steps)
        found.update(evaluation.last)
        return scores

    final = with_average(
        outcome,
        config,
        output_directory=output,
        load=lambda checkpoint: loaded(checkpoint, config),
        measure=measure,
    )
    return final, found if final.best_checkpoint != outcome.best_checkpoint else {}


def with_average(
    outcome: TrainingResult,
    config: Config,
    *,
    output_directory: Path,
    load: Callable[[Path], Family],
    measure: Callable[[Family], Mapping[str, float]],
) -> TrainingResult:
    """Average the best checkpoints, all ranks together; the better of average and best is kept.

    Args:
        outcome: What the training came to.
        config: The settings.
        output_directory: Where the checkpoints and the model lie; ``average`` is written there.
        load: Loads a checkpoint, as it is measured.
        measure: Measures a model: error rates by name, as ``eval_wer``.

    Returns:
        The outcome, whose best checkpoint is the average where that is as good.

    Raises:
        UserError: The average cannot be written.
    """
    asked = config.training.average_checkpoints
    if asked is None or outcome.interrupted or outcome.best_score is None:
        return outcome
    sources = sorted(outcome.best_checkpoints, key=lambda path: checkpoints.step_of(path) or 0)
    if len(sources) < 2:
        if distributed.rank() == 0:
            console.notice(
                f"{len(sources)} checkpoint(s) were saved and measured, so there is nothing to "
                "average."
            )
        return outcome
    target = output_directory / checkpoints.AVERAGE
    distributed.on_first(lambda: _write(sources, target, load(sources[-1])))
    scores = {
        name if name.startswith("eval_") else f"eval_{name}": float(value)
        for name, value in measure(load(target)).items()
    }
    value = scores[_best_name(config, scores)]
    sign = -1.0 if greater_is_better(config) else 1.0
    taken = not math.isnan(value) and sign * value <= sign * outcome.best_score
    names = ", ".join(path.name.removeprefix(checkpoints.PREFIX) for path in sources)
    note = (
        f"The average of the checkpoints {names} has {_best_name(config, scores)} {value:.4f}, "
        f"the best of them {outcome.best_score:.4f}: the "
        f"{'average' if taken else 'best'} is the model."
    )
    if distributed.rank() == 0:
        console.say(note)
    distributed.on_first(lambda: _settle(target, scores, output_directory if taken else None))
    if not taken:
        return dataclasses.replace(outcome, average_note=note)
    return dataclasses.replace(outcome, best_checkpoint=target, best_score=value, average_note=note)


def _write(sources: list[Path], target: Path, family: Family) -> None:
    from mynah.checkpoints.averaging import average_checkpoints

    average_checkpoints(sources, target, family=family)


def _settle(target: Path, scores: Mapping[str, float], publish_to: Path | None) -> None:
    """Let the average know its scores, and publish it where it is the model."""
    about = {**read_json(target / _ABOUT), "scores": scores}
    text = json.dumps(about, indent=2, ensure_ascii=False) + "\n"
    checkpoints.add_file(target, _ABOUT, text)
    if publish_to is not None:
        checkpoints.copy_to_model_directory(target, publish_to)


def _best_name(config: Config, scores: Mapping[str, float]) -> str:
    """The name of what checkpoints are compared by; the training found it among its scores."""
    asked = best_metric(config)
    if asked is None:
        asked = next(name for one in scores if (name := one.removeprefix("eval_")) in METRICS)
    return f"eval_{asked}"
