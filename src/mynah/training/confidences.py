"""The confidences of a trained model's words: fitted at the end, and kept with the model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.preparation.prepare import PreparedData
    from mynah.evaluation.evaluate import Evaluation
    from mynah.models.family import Family
    from mynah.training.trainer import TrainingResult


def keep_confidences(
    config: Config,
    family: Family,
    outcome: TrainingResult,
    output: Path,
    data: PreparedData,
    evaluations: Mapping[str, Evaluation],
) -> None:
    """Fit the confidences of words on the split that chose the model, and keep them with it.

    Args:
        config: The settings.
        family: The model to use, loaded.
        outcome: What the training came to.
        output: Where its checkpoints and its model lie. The checkpoint to use may lie elsewhere,
            with the run that was resumed from: that one stays as it is.
        data: What was measured.
        evaluations: What that came to, by split.
    """
    best = outcome.best_checkpoint
    if best is None or not data.evaluation:
        return
    from mynah.inference.confidence.fitting import store_calibration

    name, corpus = next(iter(data.evaluation.items()))
    own = [best] if best.resolve().parent == output.resolve() else []
    store_calibration(
        family,
        corpus,
        evaluations[name].hypotheses,
        config.evaluation.normalizer,
        [*own, output],
    )
