"""What accounts for the difference of two systems: words, and groups of anything that is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mynah.evaluation.comparing.paired import PairedGain
from mynah.evaluation.groups.rates import FEW_WORDS
from mynah.evaluation.groups.ways import Way, ways
from mynah.evaluation.hypothesis import Hypothesis
from mynah.evaluation.intervals.groups import (
    GroupValue,
    group_intervals,
    speaker_codes,
    units_of,
)
from mynah.evaluation.intervals.interval import FEWEST_SPEAKERS
from mynah.evaluation.score import UtteranceScore


@dataclass(frozen=True)
class Share:
    """A group of utterances and what it adds to the difference.

    Attributes:
        name: Its speaker, its value of a column, its range of a measurement.
        utterances: How many.
        words: Of their references.
        before: Errors of the first system.
        after: Errors of the second.
        points: What it adds to the difference of the error rates; all groups' add up to it.
        change: The difference of the group's own error rates, with its paired 95 % interval.
        over: What that interval is over, as ``"12 speakers"``.
        small: Whether it has so few words or speakers that its own rate says little.
    """

    name: str
    utterances: int
    words: int
    before: int
    after: int
    points: float
    change: GroupValue
    over: str
    small: bool


@dataclass(frozen=True)
class WordShare:
    """A word of the references, or one that was inserted, and how often it is wrong."""

    word: str
    said: int
    before: int
    after: int

    @property
    def change(self) -> int:
        return self.after - self.before


def shares_of_difference(
    hypotheses: Sequence[Hypothesis],
    before: Sequence[UtteranceScore],
    after: Sequence[UtteranceScore],
) -> dict[str, list[Share]]:
    """By everything that is known of the utterances: what each group adds to the difference, by
    the name of the way.

    Groups stand in the order of how much they add, either way; ranges of a measurement in
    ascending order. What is the same for all utterances, or not known of any, is left out.

    Args:
        hypotheses: Of either system: their columns and measurements are looked at.
        before: The first system's utterances.
        after: The second's, in the same order.
    """
    edits = [np.array([row.edits for row in rows], dtype=np.float64) for rows in (before, after)]
    speakers = speaker_codes([row.speaker for row in before])
    return {
        way.name: _shares(way, edits, speakers, PairedGain(before[0].unit))
        for way in ways(hypotheses, [row.words for row in before]).ways
    }


def _shares(
    way: Way, edits: Sequence[NDArray[np.float64]], speakers: NDArray[np.int64], gain: PairedGain
) -> list[Share]:
    count = len(way.labels)
    units = units_of(way.codes, count, speakers)
    changes = group_intervals(gain, np.concatenate(edits, axis=1), units)
    words, old, new = (
        np.bincount(way.codes, weights=column, minlength=count).astype(np.int64)
        for column in (
            edits[0][:, :3].sum(axis=1), edits[0][:, 1:].sum(axis=1), edits[1][:, 1:].sum(axis=1),
        )
    )  # fmt: skip
    total = max(int(words.sum()), 1)
    sizes = np.bincount(way.codes, minlength=count)
    made = [
        Share(
            name=label,
            utterances=int(sizes[number]),
            words=int(words[number]),
            before=int(old[number]),
            after=int(new[number]),
            points=int(new[number] - old[number]) / total,
            change=changes.of(number),
            over=f"{units.counts[number]:,} "
            + ("speakers" if units.are_speakers[number] else "utterances"),
            small=bool(words[number] < FEW_WORDS or units.counts[number] < FEWEST_SPEAKERS),
        )
        for number, label in enumerate(way.labels)
    ]
    return made if way.ranges else sorted(made, key=lambda one: (-abs(one.points), one.name))


def words(
    before: Sequence[UtteranceScore], after: Sequence[UtteranceScore]
) -> tuple[list[WordShare], list[WordShare]]:
    """Words that the second system gets wrong less often, and those that it does more often.

    A word is wrong where it is substituted or deleted; an inserted one stands under ``+ word``.
    The largest change comes first.
    """
    said = Counter(word for row in before for word in row.unit.units(row.reference))
    wrong = [_wrong(rows) for rows in (before, after)]
    found = [
        WordShare(word, said[word], wrong[0][word], wrong[1][word])
        for word in sorted(wrong[0].keys() | wrong[1].keys())
        if wrong[0][word] != wrong[1][word]
    ]
    better = sorted((one for one in found if one.change < 0), key=lambda one: one.change)
    worse = sorted((one for one in found if one.change > 0), key=lambda one: -one.change)
    return better, worse


def _wrong(rows: Sequence[UtteranceScore]) -> Counter[str]:
    found: Counter[str] = Counter()
    for row in rows:
        if row.errors:
            for word in row.alignment:
                if word.operation == "insert":
                    found[f"+ {word.hypothesis}"] += 1
                elif word.operation != "equal":
                    found[word.reference] += 1
    return found
