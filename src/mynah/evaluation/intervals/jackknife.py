"""Jackknife-t: an interval over a few groups, each of which is left out once."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mynah.evaluation.intervals.interval import CONFIDENCE
from mynah.evaluation.intervals.student import two_sided_quantile
from mynah.evaluation.metrics.metric import Metric


def jackknife_t(metric: Metric, statistics: NDArray[np.float64]) -> tuple[float, float]:
    """The value, plus and minus its jackknife standard error times Student's t.

    Tukey 1958; Efron and Tibshirani 1993, chapter 11. Unlike a bootstrap over few groups it is
    wide enough: with S groups its t has S - 1 degrees of freedom.

    Args:
        metric: The metric.
        statistics: The sums of its statistics by group, float64 [groups, k].

    Returns:
        (low, high), inside the metric's range; NaN for fewer than two groups, or where the
        metric has no value without one of them.
    """
    value, error = jackknife_error(metric, statistics)
    if math.isnan(error):
        return math.nan, math.nan
    half = two_sided_quantile(CONFIDENCE, len(statistics) - 1) * error
    highest = math.inf if metric.highest is None else metric.highest
    return max(metric.lowest, value - half), min(highest, value + half)


def jackknife_error(metric: Metric, statistics: NDArray[np.float64]) -> tuple[float, float]:
    """A metric of all groups, and its jackknife standard error.

    Args:
        metric: The metric.
        statistics: The sums of its statistics by group, float64 [groups, k].

    Returns:
        (value, error); the error is NaN for fewer than two groups, or where the metric has no
        value without one of them.
    """
    groups = len(statistics)
    total = statistics.sum(axis=0)
    value = metric.value(total)
    if groups < 2 or math.isnan(value):
        return value, math.nan
    without = total - statistics
    others = metric.values(without)
    if np.isnan(others).any() or not without.any(axis=1).all():
        return value, math.nan
    variance = (groups - 1) / groups * float(np.square(others - others.mean()).sum())
    return value, math.sqrt(variance)
