"""Hypotheses that are empty, loop or are in another script, and text where nobody speaks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mynah.data.scripts import is_no_text, scripts_of
from mynah.evaluation.intervals.groups import Units, group_intervals, speaker_codes, units_of
from mynah.evaluation.metrics.edits import ratios
from mynah.evaluation.metrics.metric import Metric, Vector
from mynah.evaluation.score import UtteranceScore

_LONGEST_LOOP = 4  # words that repeat together
_REPEATS = 4  # times in a row; people say "no no no"


class _Share(Metric):
    """Utterances of a kind over those that could be; its vector is [found, could be]."""

    name, label, title, version = "share", "share", "share of the utterances", "1"
    greater_is_better = False
    highest = 1.0

    def statistics(self, reference: str, hypothesis: str) -> Vector:
        raise NotImplementedError("utterances are counted")

    def value(self, total: Vector) -> float:
        return float(self.values(total[None])[0])

    def values(self, totals: NDArray[np.float64]) -> Vector:
        return ratios(totals[:, 0], totals[:, 1])


_SHARE = _Share()


@dataclass(frozen=True)
class Oddity:
    """One kind.

    Attributes:
        name: ``empty``, ``text in silence``, ``looping``, ``other script``.
        count: Utterances of it.
        of: Utterances that could be.
        first: The id of the first; "" where there is none.
        low: Of the 95 % interval of the rate; NaN where none was found, or could be.
        high: Its other end.
    """

    name: str
    count: int
    of: int
    first: str
    low: float = math.nan
    high: float = math.nan

    @property
    def rate(self) -> float:
        """0.0 where none could be."""
        return self.count / self.of if self.of else 0.0


def oddities(rows: Sequence[UtteranceScore]) -> list[Oddity]:
    """How often each kind happens, in utterances.

    A hypothesis loops where up to four words come four times in a row or more, and more often
    than in its reference. It is in another script where most of its letters are, and not most
    letters of its reference.

    Args:
        rows: Utterances, normalised.
    """
    said = np.array([bool(row.reference) for row in rows], dtype=bool)
    recognized = np.array([bool(row.hypothesis) for row in rows], dtype=bool)
    loops = np.array([_loops(row) for row in rows], dtype=bool)
    lettered, other = _scripts(rows)
    everywhere = np.ones(len(rows), dtype=bool)
    units = units_of(
        np.zeros(len(rows), dtype=np.int64), 1, speaker_codes([row.speaker for row in rows])
    )
    return [
        _oddity("empty", said & ~recognized, said, rows, units),
        _oddity("text in silence", ~said & recognized, ~said, rows, units),
        _oddity("looping", loops, everywhere, rows, units),
        _oddity("other script", other, lettered, rows, units),
    ]


def _scripts(rows: Sequence[UtteranceScore]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether both texts of each utterance have letters, and whether these are of two scripts."""
    said, recognized = (
        scripts_of(pa.array(found, type=pa.string()))
        for found in ([row.reference for row in rows], [row.hypothesis for row in rows])
    )
    lettered = (said != 0) & (recognized != 0) & ~is_no_text(said)
    return lettered, lettered & (said != recognized)


def _oddity(
    name: str,
    found: NDArray[np.bool_],
    of: NDArray[np.bool_],
    rows: Sequence[UtteranceScore],
    units: Units,
) -> Oddity:
    count = int(found.sum())
    if not count:
        return Oddity(name, 0, int(of.sum()), "")
    rate = group_intervals(_SHARE, np.stack([found, of], axis=1).astype(np.float64), units).of(0)
    first = rows[int(np.flatnonzero(found)[0])].id
    return Oddity(name, count, int(of.sum()), first, rate.low, rate.high)


def _loops(row: UtteranceScore) -> bool:
    if len(row.hypothesis) < 2 * _REPEATS - 1:
        return False
    most = _repeats(row.unit.units(row.hypothesis))
    return most >= _REPEATS and most > _repeats(row.unit.units(row.reference))


def _repeats(words: Sequence[str]) -> int:
    """How often one to four words come in a row at most; 1 where nothing repeats."""
    most = 1
    for length in range(1, _LONGEST_LOOP + 1):
        same = 0  # words that are the one `length` before
        for position in range(length, len(words)):
            same = same + 1 if words[position] == words[position - length] else 0
            most = max(most, same // length + 1)
    return most
