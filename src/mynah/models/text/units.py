"""The units of a text: a word, or a character of a script that is written without spaces.

A word of such a script ends where only a dictionary says; what a text is cut into, timed and
compared by is then a character with its marks.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import regex

# Scripts written without spaces between words: UAX 14's classes ID (ideographs, kana, Yi) and
# SA (South East Asian). Tibetan is none of them: it marks every syllable's end.
_IDEOGRAPHS = ("Han", "Hiragana", "Katakana", "Bopomofo", "Yi")
_SOUTH_EAST_ASIAN = (
    "Thai", "Lao", "Khmer", "Myanmar", "Tai_Le", "New_Tai_Lue", "Tai_Tham", "Tai_Viet",
)  # fmt: skip
# The mark of a long vowel belongs to Hiragana and Katakana alike, so to no script in Unicode.
_IDEOGRAPHIC = "".join(rf"\p{{{script}}}" for script in _IDEOGRAPHS) + "\u30fc\uff70"
#: Characters of scripts without spaces, as they stand between the brackets of a pattern of regex.
SPACELESS = _IDEOGRAPHIC + "".join(rf"\p{{{script}}}" for script in _SOUTH_EAST_ASIAN)
_OPENING = r"\p{Ps}\p{Pi}"
_LETTERS = regex.compile(f"[{_IDEOGRAPHIC}]")
_ANY = regex.compile(f"[{SPACELESS}]")
# A character with what opens before it and the marks behind it; or a word up to such a character.
_UNITS = regex.compile(
    rf"[{_OPENING}]*(?=[{SPACELESS}])\X(?:(?![{_OPENING}])\p{{P}})*"
    rf"|(?:(?![{_OPENING}]+[{SPACELESS}])[^\s{SPACELESS}])+"
)
_WIDE_MARKS = "\u3001-\u3003\u3008-\u301f\u30fb\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
_WIDE_END = regex.compile(rf"[{_WIDE_MARKS}]\Z")
_GRAPHEMES = regex.compile(r"\X")
_LONGEST_GRAPHEME = 16  # characters, and more than any of a text has
_WIDE_START = regex.compile(rf"[{_WIDE_MARKS}]")


def units(text: str) -> list[str]:
    """The units of a text, each with its punctuation; of a text with spaces, its words."""
    if text.isascii() or _ANY.search(text) is None:
        return text.split()
    found: list[str] = _UNITS.findall(text)
    return found


def unit_spans(text: str) -> list[tuple[int, int]]:
    """Where the units of a text begin in it, and the character after each."""
    found: list[tuple[int, int]] = []
    reached = 0
    for unit in units(text):
        start = text.index(unit, reached)
        reached = start + len(unit)
        found.append((start, reached))
    return found


def ideographs(text: str) -> int:
    """How many characters of a text are ideographs or kana, a syllable or two each."""
    return 0 if text.isascii() else len(_LETTERS.findall(text))


def joined_texts(texts: Iterable[str], *, continued: Iterable[bool] | None = None) -> str:
    """Texts behind one another, with a space where their scripts have one; empty ones left out.

    Args:
        texts: What is said in stretches that follow on one another.
        continued: Of each but the first, whether it begins in the middle of what is said, where
            the scripts of South East Asia have no space either; None: of none.
    """
    pieces: list[str] = []
    middles = itertools.repeat(False) if continued is None else iter(continued)
    for number, text in enumerate(texts):
        is_middle = next(middles) if number else False
        if not text:
            continue
        if pieces:
            pieces.append(space_between(pieces[-1], text, continued=is_middle))
        pieces.append(text)
    return "".join(pieces)


def space_between(before: str, after: str, *, continued: bool = False) -> str:
    """What stands between two texts: a space, or nothing where their scripts have none.

    Args:
        before: A text that is not empty.
        after: The one behind it, not empty.
        continued: Whether it begins in the middle of what is said, as :func:`joined_texts` has it.
    """
    return "" if _is_together(before, after, _ANY if continued else _LETTERS) else " "


def _is_together(before: str, after: str, letters: regex.Pattern[str]) -> bool:
    """Whether no space stands between two texts: a wide mark brings its own."""
    if _WIDE_END.search(before) or _WIDE_START.match(after):
        return True
    last = _GRAPHEMES.findall(before[-_LONGEST_GRAPHEME:])[-1]
    return letters.match(last) is not None and letters.match(after) is not None
