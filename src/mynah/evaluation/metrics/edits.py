"""Edits between two sequences: counted, aligned, and as a rate."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from mynah.evaluation.metrics.metric import Metric, Vector

Operation = Literal["equal", "substitute", "delete", "insert"]
_NAMES: Mapping[str, Operation] = {
    "equal": "equal",
    "replace": "substitute",
    "delete": "delete",
    "insert": "insert",
}


class AlignedWord(NamedTuple):
    """One step of an alignment; ``reference`` is empty for an insertion, ``hypothesis`` for a
    deletion."""

    operation: Operation
    reference: str
    hypothesis: str


class Edits(NamedTuple):
    """The operations of an alignment with the fewest errors, counted."""

    hits: int
    substitutions: int
    deletions: int
    insertions: int


def count_edits(reference: Sequence[str], hypothesis: Sequence[str]) -> Edits:
    """Count the operations that turn one sequence into the other, the fewest there can be.

    Of several alignments with the fewest errors it is rapidfuzz's, which jiwer counts too.
    """
    if reference == hypothesis:
        return Edits(len(reference), 0, 0, 0)
    tags = [tag for tag, _, _ in Levenshtein.editops(reference, hypothesis).as_list()]
    substitutions, deletions = tags.count("replace"), tags.count("delete")
    return Edits(
        len(reference) - substitutions - deletions,
        substitutions,
        deletions,
        len(tags) - substitutions - deletions,
    )


def align_words(reference: Sequence[str], hypothesis: Sequence[str]) -> tuple[AlignedWord, ...]:
    """The alignment that :func:`count_edits` counts, one step a word."""
    steps = []
    for operation in Levenshtein.opcodes(reference, hypothesis):
        said = reference[operation.src_start : operation.src_end]
        recognized = hypothesis[operation.dest_start : operation.dest_end]
        for position in range(max(len(said), len(recognized))):
            steps.append(
                AlignedWord(
                    _NAMES[operation.tag],
                    said[position] if position < len(said) else "",
                    recognized[position] if position < len(recognized) else "",
                )
            )
    return tuple(steps)


class EditRate(Metric):
    """Errors over the units of all references: (S + D + I) / (hits + S + D).

    Its vector is [hits, substitutions, deletions, insertions]. Where no reference has a unit
    there is no rate, but 0.0 where nothing was recognized either.
    """

    greater_is_better = False

    @abstractmethod
    def units(self, text: str) -> Sequence[str]:
        """The units of a text that are compared: its words, its characters."""

    def statistics(self, reference: str, hypothesis: str) -> Vector:
        edits = count_edits(self.units(reference), self.units(hypothesis))
        return np.array(edits, dtype=np.float64)

    def value(self, total: Vector) -> float:
        hits, substitutions, deletions, insertions = total.tolist()
        return ratio(substitutions + deletions + insertions, hits + substitutions + deletions)

    def values(self, totals: NDArray[np.float64]) -> Vector:
        return ratios(totals[:, 1:].sum(axis=1), totals[:, :3].sum(axis=1))


def ratio(errors: float, length: float) -> float:
    """Errors over a length; of nothing 0.0 without errors, else NaN."""
    if length:
        return errors / length
    return math.nan if errors else 0.0


def ratios(errors: Vector, lengths: Vector) -> Vector:
    """:func:`ratio` of each pair: float64 [m]."""
    rates = np.divide(errors, lengths, out=np.full_like(errors, math.nan), where=lengths > 0)
    rates[(lengths == 0) & (errors == 0)] = 0.0
    return rates
