"""Words that training never had: their error rate apart from that of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mynah.evaluation.intervals.groups import (
    GroupValue,
    group_intervals,
    speaker_codes,
    units_of,
)
from mynah.evaluation.metrics.edits import ratios
from mynah.evaluation.metrics.metric import Metric, Vector
from mynah.evaluation.score import Scores, UtteranceScore


class _WrongWords(Metric):
    """Wrong words over words of the references; its vector is [wrong, words]."""

    name, label, title, version = "wrong_words", "words wrong", "wrong words", "1"
    greater_is_better = False
    highest = 1.0

    def statistics(self, reference: str, hypothesis: str) -> Vector:
        raise NotImplementedError("words are counted on an alignment")

    def value(self, total: Vector) -> float:
        return float(self.values(total[None])[0])

    def values(self, totals: NDArray[np.float64]) -> Vector:
        return ratios(totals[:, 0], totals[:, 1])


WRONG_WORDS = _WrongWords()


@dataclass(frozen=True)
class Side:
    """Words of the references that are in the vocabulary, or those that are not.

    Attributes:
        words: How often they are said.
        wrong: How often they are substituted or deleted.
        rate: One over the other, with its 95 % interval.
    """

    words: int
    wrong: int
    rate: GroupValue


@dataclass(frozen=True)
class OutOfVocabulary:
    """A set's words by whether training had them.

    Attributes:
        vocabulary: Different words of training.
        inside: Words that training had.
        outside: Words that it never had.
        most_missed: (word, said, wrong) of the words outside, those wrong most often first.
    """

    vocabulary: int
    inside: Side
    outside: Side
    most_missed: Sequence[tuple[str, int, int]] = field(repr=False)


def out_of_vocabulary(scores: Scores, vocabulary: frozenset[str]) -> OutOfVocabulary:
    """Error rates of the words that a vocabulary has, and of those that it has not.

    An inserted word is not in a reference, and is on neither side.

    Args:
        scores: Of the set.
        vocabulary: Words of training, as ``TrainingWords.compared`` gives them.
    """
    said: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    vectors = [_count(row, vocabulary, said, wrong) for row in scores.per_utterance]
    counts = np.array(vectors, dtype=np.float64)
    everybody = np.zeros(len(counts), dtype=np.int64)
    units = units_of(everybody, 1, speaker_codes([row.speaker for row in scores.per_utterance]))

    def side(columns: NDArray[np.float64]) -> Side:
        errors, words = (int(total) for total in columns.sum(axis=0))
        return Side(words, errors, group_intervals(WRONG_WORDS, columns, units).of(0))

    missed = [(word, said[word], wrong[word]) for word in said]
    missed.sort(key=lambda one: (-one[2], -one[1], one[0]))
    return OutOfVocabulary(len(vocabulary), side(counts[:, :2]), side(counts[:, 2:]), missed)


def _count(
    row: UtteranceScore, vocabulary: frozenset[str], said: Counter[str], wrong: Counter[str]
) -> list[int]:
    """[wrong inside, words inside, wrong outside, words outside] of one utterance; words outside
    are counted one by one as well."""
    words = row.unit.units(row.reference)
    outside = [word for word in words if word not in vocabulary]
    said.update(outside)
    if not row.errors:
        return [0, len(words) - len(outside), 0, len(outside)]
    missed = [
        step.reference for step in row.alignment if step.operation in ("substitute", "delete")
    ]
    lost = [word for word in missed if word not in vocabulary]
    wrong.update(lost)
    return [len(missed) - len(lost), len(words) - len(outside), len(lost), len(outside)]
