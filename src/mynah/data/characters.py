"""Classes of characters: one table for what is learned and for what is scored.

Training transcripts (``data/text.py``) and error rates (``evaluation/normalize.py``) have to
agree on what a word consists of: where they do not, a perfect model has errors. Classes are
Unicode's: general categories, and ``Default_Ignorable_Code_Point`` of DerivedCoreProperties.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Written as an apostrophe somewhere: typographic quotes, the modifier letter, stray accents.
_APOSTROPHES = "\u2018\u2019\u02bc\uff07\u00b4\u0060"

# Default_Ignorable_Code_Point, Unicode 16: joiners, marks of direction, variation selectors,
# fillers, tags. They change how a word looks, or nothing, and never which word it is.
_IGNORABLE = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5),
    (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164),
    (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
_DOTTED = ("tr", "az")  # languages that have an i with a dot and one without


@lru_cache(maxsize=65_536)
def is_invisible(character: str) -> bool:
    """Whether a character is nothing to read: it goes, and what it stands between is joined.

    Ignorable characters, format characters (Cf), and enclosing marks (Me), as that of a keycap.
    """
    code = ord(character)
    return unicodedata.category(character) in ("Cf", "Me") or any(
        first <= code <= last for first, last in _IGNORABLE
    )


@lru_cache(maxsize=65_536)
def is_word(character: str) -> bool:
    """Whether a word can contain a character: a letter, a mark or a digit."""
    return unicodedata.category(character)[0] in "LMN" and not is_invisible(character)


def plain_apostrophes(text: str) -> str:
    """The text with every apostrophe as U+0027, whichever way it was typed."""
    return text.translate(_TO_APOSTROPHE)


def without_punctuation(text: str) -> str:
    """Letters, marks and digits, and an apostrophe inside a word; spaces in place of the rest.

    Invisible characters go without a space. The text is in Unicode NFC.
    """
    if text.isascii():  # ten times as fast, and most of what is scored
        return _LONE_APOSTROPHE.sub(" ", text.translate(_ASCII_WORDS))
    text = plain_apostrophes(unicodedata.normalize("NFC", text))
    visible = "".join(one for one in text if not is_invisible(one))
    made = []
    last = len(visible) - 1
    for position, one in enumerate(visible):
        if is_word(one):
            made.append(one)
        elif one == "'" and 0 < position < last:
            inside = is_word(visible[position - 1]) and is_word(visible[position + 1])
            made.append("'" if inside else " ")
        else:
            made.append(" ")
    # Where something went between a letter and a mark, the two may compose now.
    return unicodedata.normalize("NFC", "".join(made))


def has_own_case(language: str) -> bool:
    """Whether a language, an ISO 639-1 code, has a lower case of its own."""
    return language[:2].lower() in _DOTTED


def lower(text: str, language: str = "") -> str:
    """Lower case as a language writes it.

    Args:
        text: In Unicode NFC, so that a dotted capital I is one character.
        language: ISO 639-1 code. In Turkish and Azerbaijani ``I`` becomes ``ı`` and ``İ``
            becomes ``i``; elsewhere both become ``i``, without a combining dot.
    """
    text = text.replace("İ", "i")
    if has_own_case(language):
        text = text.replace("I", "ı")
    return text.lower()


_ASCII_WORDS = {
    code: "'" if chr(code) in "'`" else " " for code in range(128) if not chr(code).isalnum()
}
_LONE_APOSTROPHE = re.compile(r"(?<![A-Za-z0-9])'|'(?![A-Za-z0-9])")
_TO_APOSTROPHE = dict.fromkeys(map(ord, _APOSTROPHES), "'")
