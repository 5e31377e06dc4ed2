"""Words that training never had: their error rate apart from that of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mynah.errors import UserError
from mynah.evaluation.intervals.groups import (
    GroupValue,
    group_intervals,
    speaker_codes,
    units_of,
)
from mynah.evaluation.metrics.edits import EditRate, ratios
from mynah.evaluation.metrics.metric import Metric, Vector
from mynah.evaluation.normalize import get_normalizer
from mynah.evaluation.score import Scores, UtteranceScore
from mynah.files import display_path, write_text

TRAINING_WORDS = "training_words.txt"  # beside the results of a training run


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


def words_of(texts: Iterable[pa.Array]) -> set[str]:
    """The different words of transcripts, as they are written.

    Args:
        texts: Arrow arrays of strings.
    """
    found: set[str] = set()
    for array in texts:
        parts = pc.utf8_split_whitespace(pc.fill_null(array, "")).flatten()
        found.update(pc.unique(parts).to_pylist())
    return found - {""}


def normalized(words: Iterable[str], normalizer: str, unit: EditRate) -> frozenset[str]:
    """Words as they are compared: under a normaliser, in the unit that errors are counted in."""
    normalize = get_normalizer(normalizer)
    return frozenset(piece for word in words for piece in unit.units(normalize(word)))


def read_words(path: Path) -> set[str]:
    """The different words of a text file, as of a training's transcripts.

    Raises:
        UserError: It cannot be read, or holds none.
    """
    try:
        found = set(path.read_text(encoding="utf-8-sig").split())
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "it is not UTF-8"
        raise UserError(f"The words cannot be read: {reason}.", where=display_path(path)) from None
    if not found:
        raise UserError("There is no word in it.", where=display_path(path))
    return found


def write_words(path: Path, words: Iterable[str]) -> None:
    """Write words a line each, for :func:`read_words`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, (f"{word}\n" for word in sorted(words)))


def words_trained_on(checkpoint: Path | None) -> set[str] | None:
    """The words that the run of a checkpoint was trained on; None: not known."""
    if checkpoint is None:
        return None
    for above in list(checkpoint.resolve().parents)[:3]:
        file = above / "evaluation" / TRAINING_WORDS
        if file.is_file():
            try:
                return read_words(file)
            except UserError:
                return None
    return None


def out_of_vocabulary(scores: Scores, vocabulary: frozenset[str]) -> OutOfVocabulary:
    """Error rates of the words that a vocabulary has, and of those that it has not.

    An inserted word is not in a reference, and is on neither side.

    Args:
        scores: Of the set.
        vocabulary: As :func:`normalized` gives it.
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
