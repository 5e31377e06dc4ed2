"""What accounts for the difference of two systems: words, speakers, durations, languages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mynah.evaluation.hypothesis import Hypothesis
from mynah.evaluation.score import UtteranceScore

_DURATION_EDGES = (2.0, 5.0, 10.0, 20.0)  # seconds
FEW_WORDS = 100  # a group with fewer says little by itself


@dataclass(frozen=True)
class Share:
    """A group of utterances and what it adds to the difference.

    Attributes:
        name: Its speaker, language or durations.
        utterances: How many.
        words: Of their references.
        before: Errors of the first system.
        after: Errors of the second.
        points: What it adds to the difference of the error rates; all groups' add up to it.
    """

    name: str
    utterances: int
    words: int
    before: int
    after: int
    points: float

    @property
    def small(self) -> bool:
        """Whether it has so few words that its own rate says little."""
        return self.words < FEW_WORDS


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


def shares(
    hypotheses: Sequence[Hypothesis],
    before: Sequence[UtteranceScore],
    after: Sequence[UtteranceScore],
) -> dict[str, list[Share]]:
    """By ``speaker``, ``language`` and ``seconds``: what each group adds to the difference.

    Groups stand in the order of how much they add, either way. What is the same for all
    utterances, or not known of any, is left out.
    """
    ways: dict[str, Callable[[Hypothesis], str]] = {
        "speaker": lambda one: one.speaker or "",
        "language": lambda one: one.language,
        "seconds": lambda one: _duration(one.duration_seconds),
    }
    found = {}
    for what, group_of in ways.items():
        groups: dict[str, list[int]] = {}
        for row, hypothesis in enumerate(hypotheses):
            groups.setdefault(group_of(hypothesis), []).append(row)
        if len(groups) > 1:
            found[what] = _shares(groups, before, after)
    return found


def _shares(
    groups: Mapping[str, Sequence[int]],
    before: Sequence[UtteranceScore],
    after: Sequence[UtteranceScore],
) -> list[Share]:
    total = max(sum(row.words for row in before), 1)
    made = []
    for name, rows in groups.items():
        old, new = (sum(side[row].errors for row in rows) for side in (before, after))
        words = sum(before[row].words for row in rows)
        made.append(Share(name, len(rows), words, old, new, (new - old) / total))
    return sorted(made, key=lambda one: (-abs(one.points), one.name))


def _duration(seconds: float) -> str:
    if not seconds:
        return ""
    edges = [0.0, *_DURATION_EDGES]
    low = max(edge for edge in edges if edge <= seconds)
    above = [edge for edge in edges if edge > seconds]
    return f"{low:g} to {above[0]:g} s" if above else f"{low:g} s and more"


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
