"""Mixed error rate: characters count as words in scripts that do not separate words.

Word error rate is a sentence error rate there. Counting characters in such scripts and words in
all others serves text in which both occur, as Mandarin with English names in it.
"""

from __future__ import annotations

from collections.abc import Iterable

import regex

from mynah.evaluation.metrics.edits import EditRate

# Scripts written without spaces between words: UAX 14's classes ID (ideographs, kana, Yi) and
# SA (South East Asian). Tibetan is none of them: it marks every syllable's end.
_SCRIPTS = (
    "Han", "Hiragana", "Katakana", "Bopomofo", "Yi", "Thai", "Lao", "Khmer", "Myanmar", "Tai_Le",
    "New_Tai_Lue", "Tai_Tham", "Tai_Viet",
)  # fmt: skip
# The mark of a long vowel belongs to Hiragana and Katakana alike, so to no script in Unicode.
_SPACELESS = "".join(rf"\p{{{script}}}" for script in _SCRIPTS) + "\u30fc\uff70"
_UNITS = regex.compile(rf"(?=[{_SPACELESS}])\X|[^\s{_SPACELESS}]+")
_LETTERS = regex.compile(rf"[{_SPACELESS}]+")
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
