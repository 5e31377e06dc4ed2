"""What jobs are compared by: the metric that chose their checkpoints, read from their results."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mynah.config.plugins.metrics import METRICS

_DESCRIPTION = ("label", "title", "greater_is_better", "percent")


@dataclass(frozen=True)
class MetricName:
    """A metric as ``results.json`` describes it.

    Attributes:
        name: As settings give it.
        label: As tables give it.
        title: In words.
        greater_is_better: Its direction.
        percent: Whether values are fractions that are shown in per cent.
    """

    name: str
    label: str
    title: str
    greater_is_better: bool
    percent: bool

    def shown(self, value: float | None) -> str:
        """``0.0741`` as ``7.41 %``, or as it is where it is not a share."""
        if value is None or math.isnan(value):
            return "-"
        return f"{100 * value:.2f} %" if self.percent else f"{value:.4g}"


def metric_name(name: str) -> MetricName:
    """A metric of the registry as tables show it.

    Raises:
        UserError: It is a plug-in's that fails to import or breaks its contract.
    """
    about = METRICS.get(name)
    return MetricName(
        name, about.label, about.title, bool(about.greater_is_better), bool(about.percent)
    )


@dataclass(frozen=True)
class Score:
    """The value of one job.

    Attributes:
        metric: Which metric.
        value: Its value on the first evaluation split.
        low: Lower end of its 95 % interval; NaN where there is none to show.
        high: Upper end.
        over_utterances: Both ends of the interval over utterances; NaN where there is none.
    """

    metric: MetricName
    value: float
    low: float
    high: float
    over_utterances: tuple[float, float]

    @classmethod
    def alone(cls, metric: MetricName, value: float) -> Score:
        """One that has no interval."""
        return cls(metric, value, math.nan, math.nan, (math.nan, math.nan))

    @property
    def loss(self) -> float:
        """What sorts jobs from the best to the worst."""
        return -self.value if self.metric.greater_is_better else self.value

    @property
    def shown(self) -> str:
        return self.metric.shown(self.value)

    @property
    def interval(self) -> str:
        """The 95 % interval as ``6.02 – 8.93 %``."""
        if math.isnan(self.low) or math.isnan(self.high):
            return "-"
        unit = " %" if self.metric.percent else ""
        low, high = (self.metric.shown(end).removesuffix(" %") for end in (self.low, self.high))
        return f"{low} – {high}{unit}"


def read_score(directory: Path, metric: str | None = None) -> Score | None:
    """What a job's evaluation wrote into its directory, or None.

    Args:
        directory: The job's.
        metric: Which of its metrics; None: the one that chose its checkpoints.
    """
    return _score(read_first_split(directory), metric)


def read_first_split(directory: Path) -> Mapping[str, Any]:
    """What ``results.json`` of a job says of the first split; nothing where there is none."""
    try:
        results = json.loads((directory / "evaluation" / "results.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    splits = results.get("evaluations") if isinstance(results, dict) else None
    found = list(splits.values()) if isinstance(splits, dict) else []
    return found[0] if found and isinstance(found[0], dict) else {}


def _score(split: Mapping[str, Any], asked: str | None) -> Score | None:
    described = split.get("metrics")
    if isinstance(described, dict) and described:
        best = split.get("best_metric") if asked is None else asked
        if asked is not None and asked not in described:
            return None
        name = best if best in described else next(iter(described))
        about = described[name] if isinstance(described[name], dict) else {}
    else:  # of a version that did not describe them
        known = METRICS.own if asked is None else (asked,)
        name = next((name for name in known if name in split), None)
        if name is None:
            return None
        about = {
            "value": split[name],
            "low": split.get(f"{name}_low"),
            "high": split.get(f"{name}_high"),
            **{key: getattr(METRICS.get(name), key) for key in _DESCRIPTION},
        }
    if not isinstance(about.get("value"), int | float):
        return None
    metric = MetricName(
        name=str(name),
        label=str(about.get("label", name)),
        title=str(about.get("title", name)),
        greater_is_better=bool(about.get("greater_is_better")),
        percent=bool(about.get("percent")),
    )
    return Score(
        metric,
        float(about["value"]),
        _end(about, "low"),
        _end(about, "high"),
        (_end(split, f"{name}_low"), _end(split, f"{name}_high")),
    )


def _end(about: Mapping[str, Any], name: str) -> float:
    value = about.get(name)
    return float(value) if isinstance(value, int | float) else math.nan
