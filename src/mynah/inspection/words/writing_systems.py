"""Which script a letter belongs to, by its Unicode name."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache

FOREIGN_SHARE = 0.02  # a script with fewer of a language's letters is another one's
# Scripts that one writing system mixes.
_TOGETHER = {"HIRAGANA": "CJK", "KATAKANA": "CJK", "BOPOMOFO": "CJK", "IDEOGRAPHIC": "CJK"}
# First words of names that say a shape and no script.
_NO_SCRIPT = frozenset(
    {
        "MODIFIER", "MATHEMATICAL", "DOUBLE-STRUCK", "SCRIPT", "BLACK-LETTER", "INFORMATION",
        "KATAKANA-HIRAGANA", "VERTICAL", "MASU", "TURNED", "ROTATED", "PLANCK", "EULER",
    }
)  # fmt: skip
_LATIN = frozenset({"FEMININE", "MASCULINE", "KELVIN", "ANGSTROM"})


@cache
def script(character: str) -> str | None:
    """``"LATIN"``, ``"CYRILLIC"``, …; None for what is not a letter or not of one script."""
    if unicodedata.category(character)[0] != "L":
        return None
    words = unicodedata.name(character, "").split()
    if words and words[0] in ("FULLWIDTH", "HALFWIDTH"):
        words = words[1:]
    if not words or words[0] in _NO_SCRIPT:
        return None
    if words[0] in _LATIN:
        return "LATIN"
    if words[0] in ("MICRO", "OHM"):
        return "GREEK"
    return _TOGETHER.get(words[0], words[0])


def foreign_letters(characters: Mapping[str, int]) -> frozenset[str]:
    """The letters of scripts that are rare here, of characters with their counts."""
    totals: dict[str, int] = {}
    for character, count in characters.items():
        name = script(character)
        if name is not None:
            totals[name] = totals.get(name, 0) + count
    letters = sum(totals.values())
    rare = {name for name, count in totals.items() if count < FOREIGN_SHARE * letters}
    return frozenset(character for character in characters if script(character) in rare)
