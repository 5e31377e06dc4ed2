"""Confusions that matter: words that are taken for another again and again, by several speakers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from mynah.evaluation.score import UtteranceScore

_FEWEST = 2  # times; once is chance


@dataclass(frozen=True)
class Confusion:
    """A word that is recognized as another.

    Attributes:
        said: The word of the references; "" of an insertion.
        recognized: What is recognized for it; "" of a deletion.
        count: How often.
        of: How often the word is said, however it is recognized; of an insertion as often as it
            is recognized.
        speakers: Known speakers whom it happens to.
    """

    said: str
    recognized: str
    count: int
    of: int
    speakers: int

    @property
    def share(self) -> float:
        """Of the times that the word is said, those that come out so."""
        return self.count / self.of if self.of else 0.0


def systematic(rows: Sequence[UtteranceScore], most: int) -> list[Confusion]:
    """The ``most`` confusions that matter most.

    They stand in the order of how often they happen times the share of the word's occurrences
    that they are: what happens to a rare word every time comes before what happens to a frequent
    one now and then. What happened once is left out.
    """
    counts: Counter[tuple[str, str]] = Counter()
    speakers: dict[tuple[str, str], set[str]] = defaultdict(set)
    said: Counter[str] = Counter()
    recognized: Counter[str] = Counter()
    for row in rows:
        said.update(row.unit.units(row.reference))
        recognized.update(row.unit.units(row.hypothesis))
        if row.errors:
            for step in row.alignment:
                if step.operation != "equal":
                    pair = (step.reference, step.hypothesis)
                    counts[pair] += 1
                    speakers[pair].add(row.speaker)
    found = [
        Confusion(
            pair[0], pair[1], count, said[pair[0]] if pair[0] else recognized[pair[1]],
            len(speakers[pair] - {""}),
        )
        for pair, count in counts.items()
        if count >= _FEWEST
    ]  # fmt: skip
    found.sort(key=lambda one: (-one.count * one.share, one.said, one.recognized))
    return found[:most]
