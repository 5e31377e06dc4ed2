"""Hypotheses that are empty, loop or are in another script, and text where nobody speaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from mynah.data.scripts import is_no_text, scripts_of
from mynah.evaluation.score import UtteranceScore

_LONGEST_LOOP = 4  # words that repeat together
_REPEATS = 4  # times in a row; people say "no no no"


@dataclass(frozen=True)
class Oddity:
    """One kind.

    Attributes:
        name: ``empty``, ``text in silence``, ``looping``, ``other script``.
        count: Utterances of it.
        of: Utterances that could be.
        first: The id of the first; "" where there is none.
    """

    name: str
    count: int
    of: int
    first: str

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
    spoken = [row for row in rows if row.reference]
    silent = [row for row in rows if not row.reference]
    texts = [row for row in spoken if row.hypothesis]
    said, recognized = (
        scripts_of(pa.array(found, type=pa.string()))
        for found in ([row.reference for row in texts], [row.hypothesis for row in texts])
    )
    lettered = (said != 0) & (recognized != 0) & ~is_no_text(said)
    differs = lettered & (said != recognized)
    return [
        _oddity("empty", [row for row in spoken if not row.hypothesis], len(spoken)),
        _oddity("text in silence", [row for row in silent if row.hypothesis], len(silent)),
        _oddity("looping", [row for row in rows if _loops(row)], len(rows)),
        _oddity(
            "other script",
            [row for row, other in zip(texts, differs.tolist(), strict=True) if other],
            int(lettered.sum()),
        ),
    ]


def _oddity(name: str, found: Sequence[UtteranceScore], of: int) -> Oddity:
    return Oddity(name, len(found), of, found[0].id if found else "")


def _loops(row: UtteranceScore) -> bool:
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
