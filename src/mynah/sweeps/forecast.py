"""What twice the data would give: a power law through the rates of a sweep over training data.

Error rates fall with the training data about as a power of it (Hestness et al. 2017, arXiv
1712.00409): ``rate = a · share^-b``. It is fitted to the logarithms, each point weighted by how
well it was measured. The interval of the forecast holds what the fit leaves open and how well a
rate would be measured; where the points lie farther from the line than their intervals explain, it
is wider by as much. It is for the same test utterances and settings; a curve may flatten later.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SHARE = "data.train_share"
_SWEPT = {SHARE, "training.seed"}
_FEWEST = 3  # different shares: a line goes through any two
_NORMAL = 1.959964  # standard deviations on each side of the middle 95 %


@dataclass(frozen=True)
class ShareResult:
    """What a share of the training data gave.

    Attributes:
        share: Of the training utterances; above 0.
        rate: The error rate; above 0.
        deviation: Standard deviation of its natural logarithm; above 0.
        spread: Standard deviation of the same between trainings with other seeds.
        seeds: Trainings whose mean the rate is.
    """

    share: float
    rate: float
    deviation: float
    spread: float = 0.0
    seeds: int = 1

    @property
    def variance(self) -> float:
        """Of the logarithm of the rate, as the power of its share gives it."""
        return self.deviation**2 + self.spread**2 / self.seeds

    @classmethod
    def measured(cls, share: float, rate: float, low: float, high: float) -> ShareResult:
        """From a rate with its 95 % interval."""
        return cls(share, rate, math.log(high / low) / (2 * _NORMAL))


@dataclass(frozen=True)
class Forecast:
    """A fitted power law.

    Attributes:
        points: What it was fitted to.
        exponent: b: with twice the data the rate is 2^-b of what it was.
        covariance: Of (ln a, b), widened where the points scatter more than they should.
        log_scale: ln a.
    """

    points: tuple[ShareResult, ...]
    log_scale: float
    exponent: float
    covariance: np.ndarray

    def rate(self, share: float) -> float:
        """The forecast rate with a share of the data; 2.0: with twice as much."""
        return math.exp(self.log_scale - self.exponent * math.log(share))

    def interval(self, share: float) -> tuple[float, float]:
        """Where a rate would be measured in 95 of 100 such forecasts."""
        at = np.array([1.0, -math.log(share)])
        largest = max(self.points, key=lambda point: point.share)
        variance = float(at @ self.covariance @ at) + largest.deviation**2 + largest.spread**2
        width = _NORMAL * math.sqrt(variance)
        return self.rate(share) * math.exp(-width), self.rate(share) * math.exp(width)

    @property
    def exponent_interval(self) -> tuple[float, float]:
        """The 95 % interval of the exponent."""
        width = _NORMAL * math.sqrt(float(self.covariance[1, 1]))
        return self.exponent - width, self.exponent + width


def is_data_sweep(keys: Sequence[set[str]]) -> bool:
    """Whether jobs, each by the settings that set it apart, differ in their training data alone,
    and in seeds."""
    return bool(keys) and all(SHARE in one and one <= _SWEPT for one in keys)


def fit_power_law(points: Sequence[ShareResult]) -> Forecast | str:
    """The power law through points; why there is none, in a sentence."""
    if len({point.share for point in points}) < _FEWEST:
        return f"a forecast needs {_FEWEST} different shares of the data that were measured"
    for point in points:
        if not (point.rate > 0 and math.isfinite(point.rate)):
            return f"with {point.share:.0%} of the data the rate is 0 or unknown, and has no power"
        if not (point.deviation > 0 and math.isfinite(point.deviation)):
            return f"the rate with {point.share:.0%} of the data has no interval"
    logs = np.log([point.rate for point in points])
    shares = -np.log([point.share for point in points])
    design = np.stack([np.ones(len(points)), shares], axis=1)
    weights = 1 / np.sqrt([point.variance for point in points])
    unscaled = np.linalg.inv((design * weights[:, None] ** 2).T @ design)
    found = unscaled @ (design * weights[:, None] ** 2).T @ logs
    scatter = float((((logs - design @ found) * weights) ** 2).sum()) / (len(points) - 2)
    log_scale, exponent = (float(one) for one in found)
    return Forecast(tuple(points), log_scale, exponent, unscaled * max(1.0, scatter))
