"""Mixed error rate: characters count as words in scripts that do not separate words.

Word error rate is a sentence error rate there. Counting characters in such scripts and words in
all others serves text in which both occur, as Mandarin with English names in it.
"""

from __future__ import annotations

from collections.abc import Iterable

import regex

from mynah.evaluation.metrics.edits import EditRate
from mynah.models.text.units import SPACELESS

_UNITS = regex.compile(rf"(?=[{SPACELESS}])\X|[^\s{SPACELESS}]+")
_LETTERS = regex.compile(rf"[{SPACELESS}]+")
_MOST = 0.5  # of the characters of all references, above which a set has no words


class MixedErrorRate(EditRate):
    """Errors over the units of the references.

    A unit is a character with its marks (a grapheme cluster, as in Whisper's ``split_letters``)
    in a script without spaces, elsewhere a word.
    """

    name = "mer"
    label = "MER"
    title = "mixed error rate"
    version = "1"
    formula = (
        "(substitutions + deletions + insertions) / units of all references: characters in scripts "
        "without spaces, words in all others"
    )

    def units(self, text: str) -> list[str]:
        if text.isascii():
            return text.split()
        found: list[str] = _UNITS.findall(text)
        return found


def mostly_without_spaces(texts: Iterable[str]) -> bool:
    """Whether most characters of a set's texts are of scripts without spaces."""
    spaceless = everything = 0
    for text in texts:
        everything += len(text) - text.count(" ")
        if not text.isascii():
            spaceless += sum(map(len, _LETTERS.findall(text)))
    return spaceless > _MOST * everything
