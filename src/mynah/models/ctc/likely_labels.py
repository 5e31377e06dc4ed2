"""Which labels a frame of CTC's probabilities may add to a transcript: few, and often none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

# A frame whose blank is likelier says nothing. It is left out: whatever else it may hold makes a
# transcript likelier by a factor of at most 1 / 0.9995.
_SURE_BLANK = 0.9995
# Of a label that a frame may add, about a thousandth; the likeliest one always may.
_LEAST_LOG_PROBABILITY = -7.0
_MOST_LABELS = 8  # that a frame may add, the likeliest


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that may say something.

    Attributes:
        blank: Probability of the blank.
        labels: Labels, each with its probability and the logarithm of that, the likeliest first.
        after_silence: Whether frames that say nothing were left out before it.
    """

    blank: float
    labels: list[tuple[int, float, float]]
    after_silence: bool


def likely_labels(
    log_probabilities: np.ndarray, *, blank: int, written: Sequence[int] | None
) -> Iterator[Frame]:
    """The frames that may say something, in order.

    Args:
        log_probabilities: Of each label at each frame, float [frames, labels].
        blank: The label that writes nothing.
        written: Labels that a transcript can have; None for all.
    """
    blanks = np.exp(log_probabilities[:, blank].astype(np.float64))
    places = np.flatnonzero(blanks < _SURE_BLANK)
    values = log_probabilities[places]  # a copy
    values[:, blank] = -np.inf
    if written is not None:
        never = np.ones(values.shape[1], dtype=bool)
        never[list(written)] = False
        values[:, never] = -np.inf
    rows, labels = _kept(values)
    likely = values[rows, labels].astype(np.float64)
    of_row = np.searchsorted(rows, np.arange(len(places) + 1)).tolist()
    said = list(zip(labels.tolist(), np.exp(likely).tolist(), likely.tolist(), strict=True))
    before = -1
    for row, (place, probability) in enumerate(
        zip(places.tolist(), blanks[places].tolist(), strict=True)
    ):
        found = said[of_row[row] : of_row[row + 1]]
        if found:
            yield Frame(probability, found, after_silence=place > before + 1)
            before = place


def _kept(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows, and the labels of each that are kept, the likeliest first, of equals the first."""
    keeps = values > _LEAST_LOG_PROBABILITY
    if values.size:
        best = values.argmax(axis=1)
        every = np.arange(len(values))
        keeps[every, best] = values[every, best] > -np.inf
    rows, labels = np.nonzero(keeps)
    order = np.lexsort((labels, -values[rows, labels], rows))
    rows, labels = rows[order], labels[order]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    few = rank < _MOST_LABELS
    return rows[few], labels[few]
