"""What a search looks for: metrics of the evaluation, the speed of decoding, the weights' size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from mynah.config.best_metric import best_metric, greater_is_better
from mynah.config.plugins.metrics import METRICS
from mynah.config.schema import Config
from mynah.config.schema.sweep import OWN_OBJECTIVES
from mynah.runs.directory import model_directory_of
from mynah.sweeps.scores import MetricName, Score, metric_name, read_first_split, read_score

SPEED, SIZE = OWN_OBJECTIVES
_SPEED = MetricName(SPEED, "speed (×)", "Seconds of audio decoded in a second", True, False)
_SIZE = MetricName(SIZE, "size (MB)", "Megabytes of the saved weights", False, False)
_MEGABYTE = 1e6


@dataclass(frozen=True)
class Objective:
    """One number that a search makes as good as it can.

    Attributes:
        name: The metric's, ``speed`` or ``size``; None: the metric that a split's script decides.
        greater_is_better: Its direction.
    """

    name: str | None
    greater_is_better: bool

    @property
    def is_metric(self) -> bool:
        """Whether an evaluation gives it, and not the clock or the disk."""
        return self.name not in OWN_OBJECTIVES

    @property
    def shown(self) -> str:
        """As a message calls it."""
        return self.name or "the error rate"

    def described(self) -> MetricName | None:
        """As tables show it; None: known once a split was measured."""
        if self.name == SPEED:
            return _SPEED
        if self.name == SIZE:
            return _SIZE
        if self.name is None or self.name not in METRICS:
            return None
        return metric_name(self.name)


def objectives_of(config: Config) -> tuple[Objective, ...]:
    """What a search with these settings looks for, the first of them first."""
    asked = config.sweep.objectives
    best = best_metric(config)
    if asked is None:
        return (Objective(best, greater_is_better(config)),)
    own = {SPEED: True, SIZE: False}
    return tuple(
        Objective(
            name,
            own[name]
            if name in own
            else greater_is_better(config)
            if name == best
            else bool(METRICS.get(name).greater_is_better),
        )
        for name in asked
    )


def read_objective(directory: Path, objective: Objective) -> Score | None:
    """What a job that is done came to, or None where it was not measured.

    Args:
        directory: The job's.
        objective: Which of its numbers.
    """
    if objective.is_metric:
        return read_score(directory, objective.name)
    if objective.name == SPEED:
        speed = read_first_split(directory).get("audio_seconds_per_second")
        return Score.alone(_SPEED, float(speed)) if isinstance(speed, int | float) else None
    files = list(model_directory_of(directory).glob("*.safetensors"))
    size = sum(file.stat().st_size for file in files) / _MEGABYTE
    return Score.alone(_SIZE, size) if files else None


def is_number(score: Score | None) -> bool:
    """Whether there is a figure to compare."""
    return score is not None and not math.isnan(score.value)
