"""Where a search's points lie on the axes of their settings and figures."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mynah.config.values import typed
from mynah.pages.axes import ticks
from mynah.pages.parallel import Thread, UprightAxis
from mynah.sweeps.scores import MetricName
from mynah.sweeps.search.plan import Search
from mynah.sweeps.search.space import Choices, Dimension, Interval, Value
from mynah.sweeps.search.study import Trial

_MOST_CHOICES = 12  # that are written beside an axis


def setting_axis(dimension: Dimension) -> UprightAxis:
    """The axis of a setting: its interval from the bottom to the top, or its values."""
    label = dimension.name.rpartition(".")[2]
    if isinstance(dimension, Choices):
        shown = dimension.values if len(dimension.values) <= _MOST_CHOICES else ()
        return UprightAxis(label, [(place_of(dimension, one), one) for one in shown])
    inner = _decades(dimension) if dimension.log else ticks(dimension.low, dimension.high)
    room = 0.08  # of the axis, between two numbers
    marks = {0.0: typed(dimension.low), 1.0: typed(dimension.high)}
    for value in inner:
        place = place_of(dimension, value)
        if 0 < place < 1 and all(abs(place - other) > room for other in marks):
            marks[place] = typed(value)
    return UprightAxis(label, sorted(marks.items()))


def place_of(dimension: Dimension, value: Value) -> float:
    """Where a value lies on its axis, from 0 to 1."""
    if isinstance(dimension, Choices):
        last = len(dimension.values) - 1
        return dimension.values.index(str(value)) / last if last else 0.5
    low, high, at = dimension.low, dimension.high, float(value)
    if dimension.log:
        low, high, at = math.log(low), math.log(high), math.log(at)
    return (at - low) / (high - low)


def objective_axis(values: Sequence[float], metric: MetricName) -> UprightAxis:
    """The axis of a figure, from the smallest to the largest."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return UprightAxis(metric.label, [])
    low, high = min(finite), max(finite)
    ends = {_between(low, low, high): low, _between(high, low, high): high}
    return UprightAxis(
        metric.label, [(place, metric.shown(value)) for place, value in ends.items()]
    )


def figures_of(trials: Sequence[Trial], objective: int) -> list[float]:
    """The figures that an axis spans: of points that were trained to the end, where there are two.

    Args:
        trials: All of them.
        objective: Its place.
    """
    measured = [one for one in trials if len(one.values) > objective]
    done = [one for one in measured if one.state == "done"]
    return [one.values[objective] for one in (done if len(done) > 1 else measured)]


def threads(
    search: Search,
    trials: Sequence[Trial],
    metrics: Sequence[MetricName],
    labels: Sequence[str],
) -> list[Thread]:
    """A line for each point that has a figure.

    Args:
        search: What is searched.
        trials: Its trials.
        metrics: How each objective is shown.
        labels: The trials' names.
    """
    measured = [one for one in trials if one.values and math.isfinite(one.values[0])]
    ranked = sorted(
        (one for one in measured if one.state == "done"),
        key=lambda one: one.values[0] * (-1 if search.objectives[0].greater_is_better else 1),
    )
    rank = {one.number: place for place, one in enumerate(ranked)}
    ranges = []
    for position in range(len(metrics)):
        found = figures_of(trials, position)
        ranges.append((min(found), max(found)) if found else (0.0, 1.0))
    drawn = []
    for trial, label in zip(trials, labels, strict=True):
        if trial not in measured:
            continue
        settings = [
            place_of(one, trial.point[name]) for name, one in search.space.dimensions.items()
        ]
        figures = [
            _between(value, *ends) for value, ends in zip(trial.values, ranges, strict=False)
        ]
        missing = [None] * (len(metrics) - len(figures))
        shown = ", ".join(
            metric.shown(value) for metric, value in zip(metrics, trial.values, strict=False)
        )
        place = rank.get(trial.number)
        drawn.append(
            Thread(
                f"point {trial.number + 1}: {label}: {shown}",
                [*settings, *figures, *missing],
                shade=0.0 if place is None else 1 - place / max(len(ranked), 1),
                first=place == 0,
            )
        )
    return drawn


def _decades(interval: Interval) -> list[float]:
    """The powers of ten inside a logarithmic interval."""
    first, last = math.ceil(math.log10(interval.low)), math.floor(math.log10(interval.high))
    return [10.0**power for power in range(first, last + 1)]


def _between(value: float, low: float, high: float) -> float:
    """The place of a figure; at the end of the axis where a pruned point's lies beyond it."""
    return min(max((value - low) / (high - low), 0.0), 1.0) if high > low else 0.5
