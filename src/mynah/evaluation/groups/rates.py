"""The error rates of groups of utterances, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mynah.evaluation.groups.ways import Way, ways
from mynah.evaluation.hypothesis import Hypothesis
from mynah.evaluation.intervals.groups import (
    GroupValue,
    group_intervals,
    speaker_codes,
    units_of,
)
from mynah.evaluation.intervals.interval import FEWEST_SPEAKERS
from mynah.evaluation.metrics.edits import Edits
from mynah.evaluation.metrics.metric import Metric
from mynah.evaluation.score import Scores

FEW_WORDS = 100  # a group with fewer says little by itself


@dataclass(frozen=True)
class GroupRate:
    """One group.

    Attributes:
        name: Its speaker, its value of a column, its range of a measurement.
        utterances: How many.
        words: Of their references.
        edits: Their errors.
        values: Its metrics, the first to be shown first.
        over: What its intervals are over, as ``"12 speakers"``.
        small: Whether it has so few words or speakers that its rate says little.
    """

    name: str
    utterances: int
    words: int
    edits: Edits
    values: Mapping[str, GroupValue]
    over: str
    small: bool

    @property
    def first(self) -> GroupValue:
        """The metric that is shown first."""
        return next(iter(self.values.values()))


@dataclass(frozen=True)
class GroupedRates:
    """The groups of one way.

    Attributes:
        name: Of the way, as files give it.
        title: As pages give it.
        ranges: Whether the groups are ranges of numbers, in ascending order; else the worst
            stands first.
        groups: All of them.
    """

    name: str
    title: str
    ranges: bool
    groups: Sequence[GroupRate]


@dataclass(frozen=True)
class AllGroups:
    """The groups of all ways.

    Attributes:
        ways: Each with its groups.
        not_groups: Columns that nearly every utterance has a value of its own in.
        metrics: The metrics of each group.
    """

    ways: Sequence[GroupedRates]
    not_groups: Sequence[str]
    metrics: Sequence[Metric]


@dataclass(frozen=True)
class Counted:
    """A set's utterances as arrays.

    Attributes:
        edits: float64 [utterances, 4], as :class:`Edits`.
        statistics: Of each metric, float64 [utterances, k].
        speakers: Numbers of the speakers, int64 [utterances].
    """

    edits: NDArray[np.float64]
    statistics: Sequence[tuple[Metric, NDArray[np.float64]]]
    speakers: NDArray[np.int64]

    @classmethod
    def of(cls, scores: Scores) -> Counted:
        """A set's, with the metrics that its utterances have statistics of."""
        rows = scores.per_utterance
        there = rows[0].statistics
        metrics = [one.metric for one in scores.shown if one.metric.name in there]
        return cls(
            np.array([row.edits for row in rows], dtype=np.float64),
            [(one, np.array([row.statistics[one.name] for row in rows])) for one in metrics],
            speaker_codes([row.speaker for row in rows]),
        )


def all_groups(hypotheses: Sequence[Hypothesis], scores: Scores) -> AllGroups:
    """The rates by everything that is known of a set's utterances.

    Args:
        hypotheses: Of the set.
        scores: Of the same utterances in the same order.
    """
    found = ways(hypotheses, [row.words for row in scores.per_utterance])
    counted = Counted.of(scores)
    return AllGroups(
        [grouped(way, counted) for way in found.ways],
        found.not_groups,
        [metric for metric, _ in counted.statistics],
    )


def grouped(way: Way, counted: Counted) -> GroupedRates:
    """The rates of one way's groups.

    An interval is a jackknife-t over the group's speakers where it has two or more, else over its
    utterances.
    """
    count = len(way.labels)
    units = units_of(way.codes, count, counted.speakers)
    columns = [np.bincount(way.codes, weights=one, minlength=count) for one in counted.edits.T]
    sums = np.stack(columns, axis=1).astype(np.int64)
    sizes = np.bincount(way.codes, minlength=count)
    intervals = {
        metric.name: group_intervals(metric, statistics, units)
        for metric, statistics in counted.statistics
    }
    made = []
    for number, label in enumerate(way.labels):
        counts = Edits(*sums[number].tolist())
        words = counts.hits + counts.substitutions + counts.deletions
        size = int(units.counts[number])
        made.append(
            GroupRate(
                name=label,
                utterances=int(sizes[number]),
                words=words,
                edits=counts,
                values={name: one.of(number) for name, one in intervals.items()},
                over=f"{size:,} {'speakers' if units.are_speakers[number] else 'utterances'}",
                small=words < FEW_WORDS or size < FEWEST_SPEAKERS,
            )
        )
    if not way.ranges:
        first = counted.statistics[0][0]
        made.sort(key=lambda one: (_goodness(one.first.value, first), one.name))
    return GroupedRates(way.name, way.title, way.ranges, made)


def _goodness(value: float, metric: Metric) -> float:
    """What sorts groups from the worst to the best; those without a value come first."""
    if math.isnan(value):
        return -math.inf
    return value if metric.greater_is_better else -value
