"""Intervals of many groups of utterances at once, each group leaving out what it consists of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mynah.evaluation.intervals.interval import CONFIDENCE
from mynah.evaluation.intervals.student import two_sided_quantile
from mynah.evaluation.metrics.metric import Metric, Vector

_FEWEST_UNITS = 3  # of two, the interval is 12.7 standard errors to either side
_MOST_DEGREES = 500  # of freedom; beyond, Student's t is the normal distribution within 0.3 %


@dataclass(frozen=True)
class GroupValue:
    """A metric of a group; an end of its 95 % interval is NaN where there is none."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class GroupIntervals:
    """One metric of each group.

    Attributes:
        values: The metric, float64 [groups].
        lows: Lower ends of the 95 % intervals, NaN where there is none.
        highs: Upper ends.
    """

    values: Vector
    lows: Vector
    highs: Vector

    def of(self, group: int) -> GroupValue:
        """That of one group."""
        return GroupValue(*(float(one[group]) for one in (self.values, self.lows, self.highs)))


@dataclass(frozen=True)
class Units:
    """What each group consists of: speakers where it has two or more, else utterances.

    Attributes:
        of_row: The unit of each utterance, int64 [utterances].
        group_of: The group of each unit, int64 [units].
        counts: Units of each group, int64 [groups].
        are_speakers: Whether a group's units are speakers, bool [groups].
    """

    of_row: NDArray[np.int64]
    group_of: NDArray[np.int64]
    counts: NDArray[np.int64]
    are_speakers: NDArray[np.bool_]


def speaker_codes(speakers: Sequence[str]) -> NDArray[np.int64]:
    """Speakers as numbers, the same number for the same speaker: int64 [utterances]."""
    numbers: dict[str, int] = {}
    found = [numbers.setdefault(speaker, len(numbers)) for speaker in speakers]
    return np.array(found, dtype=np.int64)


def units_of(codes: NDArray[np.int64], groups: int, speaker: NDArray[np.int64]) -> Units:
    """What groups consist of.

    Args:
        codes: The group of each utterance, 0 to ``groups`` - 1.
        groups: How many groups there are; none is empty.
        speaker: Who speaks in each utterance (:func:`speaker_codes`); those of whom that is not
            known are one more speaker of a group that has others.
    """
    rows = len(codes)
    pairs = np.unique(codes * rows + speaker)
    are_speakers = np.bincount(pairs // rows, minlength=groups) >= 2
    inside = np.where(are_speakers[codes], speaker, rows + np.arange(rows))
    named, of_row = np.unique(codes * (2 * rows) + inside, return_inverse=True)
    group_of = named // (2 * rows)
    return Units(of_row, group_of, np.bincount(group_of, minlength=groups), are_speakers)


def group_intervals(
    metric: Metric, statistics: NDArray[np.float64], units: Units
) -> GroupIntervals:
    """A metric of each group with its jackknife-t interval, as :mod:`.jackknife` has it of one;
    without where a group consists of too few units to say anything, or nothing varies in it.

    Args:
        metric: The metric.
        statistics: float64 [utterances, k].
        units: See :func:`units_of`.
    """
    group_of, counts = units.group_of, units.counts
    sums = _sums(statistics, units.of_row, len(group_of))
    totals = _sums(sums, group_of, len(counts))
    without = totals[group_of] - sums
    others = metric.values(without)
    broken = np.isnan(others) | ~without.any(axis=1)
    known = np.bincount(group_of, weights=broken, minlength=len(counts)) == 0
    others = np.where(broken, 0.0, others)
    means = np.bincount(group_of, weights=others, minlength=len(counts)) / counts
    squares = np.bincount(
        group_of, weights=np.square(others - means[group_of]), minlength=len(counts)
    )
    values = metric.values(totals)
    degrees = np.minimum(counts - 1, _MOST_DEGREES)
    quantiles = {int(d): two_sided_quantile(CONFIDENCE, int(d)) for d in np.unique(degrees) if d}
    t = np.array([quantiles.get(int(d), np.nan) for d in degrees])
    half = t * np.sqrt((counts - 1) / counts * squares)
    half[~known | (counts < _FEWEST_UNITS) | (half == 0)] = np.nan
    highest = np.inf if metric.highest is None else metric.highest
    return GroupIntervals(
        values, np.maximum(metric.lowest, values - half), np.minimum(highest, values + half)
    )


def _sums(statistics: NDArray[np.float64], codes: NDArray[np.int64], count: int) -> Vector:
    """The sums of the rows of each code: float64 [count, k]."""
    columns = [np.bincount(codes, weights=column, minlength=count) for column in statistics.T]
    return np.stack(columns, axis=1)
