"""Metrics in a training's log: ``eval_wer`` of the first split, ``eval_test_wer`` of another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mynah.config.plugins.metrics import METRICS
from mynah.evaluation.intervals.interval import FEWEST_SPEAKERS
from mynah.evaluation.metrics.metric import Metric

_PREFIX = "eval_"


@dataclass(frozen=True)
class Logged:
    """One metric of one split, as a log has it.

    Attributes:
        split: The split's name; "" of the first one.
        metric: The metric's class.
        value: Its value.
        low: Lower end of the interval to show; NaN where there is none.
        high: Upper end.
    """

    split: str
    metric: type[Metric]
    value: float
    low: float
    high: float

    @property
    def shown(self) -> str:
        """``7.41 % [6.02, 8.93]``, without the interval where there is none."""
        number = f"{self.value * self._scale:.{self._digits}f}"
        text = number + (" %" if self.metric.percent else "")
        if math.isnan(self.low) or math.isnan(self.high):
            return text
        ends = (f"{end * self._scale:.{self._digits}f}" for end in (self.low, self.high))
        return f"{text} [{', '.join(ends)}]"

    @property
    def _scale(self) -> float:
        return 100.0 if self.metric.percent else 1.0

    @property
    def _digits(self) -> int:
        return getattr(self.metric, "digits", 2)


def logged(entry: Mapping[str, Any]) -> list[Logged]:
    """The metrics of one entry of a log, in its order, each with the interval to show.

    Intervals over speakers come before those over utterances; few speakers have none.
    """
    found = []
    for key, value in entry.items():
        parsed = _parsed(key)
        if parsed is None or not isinstance(value, int | float):
            continue
        split, name = parsed
        low, high = _interval(entry, key, f"{_PREFIX}{split}_" if split else _PREFIX)
        found.append(Logged(split, METRICS.get(name), float(value), low, high))
    return found


def _parsed(key: str) -> tuple[str, str] | None:
    """(split, metric) of a key, or None: of another number."""
    if not key.startswith(_PREFIX):
        return None
    rest = key.removeprefix(_PREFIX)
    # The longest name first, for one may end in another.
    for name in sorted(METRICS.names, key=len, reverse=True):
        if rest == name:
            return "", name
        if rest.endswith(f"_{name}"):
            return rest.removesuffix(f"_{name}"), name
    return None


def _interval(entry: Mapping[str, Any], key: str, prefix: str) -> tuple[float, float]:
    if f"{key}_speakers_low" in entry:
        if entry.get(f"{prefix}speakers", FEWEST_SPEAKERS) < FEWEST_SPEAKERS:
            return math.nan, math.nan
        key = f"{key}_speakers"
    return entry.get(f"{key}_low", math.nan), entry.get(f"{key}_high", math.nan)
