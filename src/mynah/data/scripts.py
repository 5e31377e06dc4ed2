"""In which script a transcript is written: what distinguishes a transcript from a mistake.

A transcript in another script than all others is somebody else's, or that of another corpus;
one that holds control characters is not text at all. Scripts are Unicode's (UAX 24), found by
arithmetic on full columns.
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NO_TEXT = "no text"
# As RE2 names them. Scripts that one language mixes are one: Japanese writes three, Korean two.
_GROUPS = {
    "Latin": ("Latin",),
    "Cyrillic": ("Cyrillic",),
    "Greek": ("Greek",),
    "Armenian": ("Armenian",),
    "Georgian": ("Georgian",),
    "Hebrew": ("Hebrew",),
    "Arabic": ("Arabic",),
    "Ethiopic": ("Ethiopic",),
    "Devanagari": ("Devanagari",),
    "Bengali": ("Bengali",),
    "Gurmukhi": ("Gurmukhi",),
    "Gujarati": ("Gujarati",),
    "Odia": ("Oriya",),
    "Tamil": ("Tamil",),
    "Telugu": ("Telugu",),
    "Kannada": ("Kannada",),
    "Malayalam": ("Malayalam",),
    "Sinhala": ("Sinhala",),
    "Thai": ("Thai",),
    "Lao": ("Lao",),
    "Burmese": ("Myanmar",),
    "Khmer": ("Khmer",),
    "Tibetan": ("Tibetan",),
    "Chinese, Japanese or Korean": ("Han", "Hiragana", "Katakana", "Bopomofo", "Hangul"),
}
SCRIPTS = ("", *_GROUPS, "another script", NO_TEXT)  # "": no letters, as in "1984"
_LATIN = SCRIPTS.index("Latin")
_OTHER = SCRIPTS.index("another script")
_NO_TEXT = SCRIPTS.index(NO_TEXT)
_NOT_TEXT = "[\\x00-\\x08\\x0e-\\x1b\\x7f\\x{FFFD}]"  # control characters, and lost letters
_LOST = re.compile(_NOT_TEXT.replace("\\x{FFFD}", "\ufffd"))
_RARE = 0.01  # share of the transcripts below which a script is taken for a mistake


def scripts_of(texts: pa.Array) -> np.ndarray:
    """The script of most letters of each text: int8 [rows], positions in :data:`SCRIPTS`.

    Args:
        texts: Strings, none of them null.
    """
    found = np.zeros(len(texts), dtype=np.int8)
    # Most corpora have no other letters: only the rest is counted letter by letter.
    alone = pc.invert(pc.match_substring_regex(texts, "[^\\p{Latin}\\PL]"))
    latin = pc.and_(alone, pc.match_substring_regex(texts, "\\p{Latin}"))
    found[latin.to_numpy(zero_copy_only=False)] = _LATIN
    rest = np.flatnonzero(~alone.to_numpy(zero_copy_only=False))
    if len(rest):
        found[rest] = _of_letters(texts.take(pa.array(rest)))
    damaged = pc.match_substring_regex(texts, _NOT_TEXT).to_numpy(zero_copy_only=False)
    found[damaged] = _NO_TEXT
    return found


def damage_of(text: str) -> np.ndarray:
    """:func:`scripts_of` one text, for who asks :func:`is_no_text` alone: int8 [1].

    A stream asks row by row, and finding the letters of one text takes 0.2 ms.
    """
    return np.asarray([_NO_TEXT if _LOST.search(text) else 0], dtype=np.int8)


def _of_letters(texts: pa.Array) -> np.ndarray:
    counts = np.zeros((_OTHER + 1, len(texts)), dtype=np.int64)
    for position, names in enumerate(_GROUPS.values(), start=1):
        pattern = "".join(f"\\p{{{name}}}" for name in names)
        counts[position] = _count(texts, f"[{pattern}]")
    counts[_OTHER] = _count(texts, "\\pL") - counts[1:_OTHER].sum(axis=0)
    return np.where(counts.max(axis=0) > 0, counts.argmax(axis=0), 0).astype(np.int8)


def _count(texts: pa.Array, pattern: str) -> np.ndarray:
    found: np.ndarray = pc.count_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
    return found


def strangers(scripts: np.ndarray) -> np.ndarray:
    """Which transcripts are in a script that hardly any other is in: bool [rows].

    Fewer than one in a hundred are; a corpus that mixes scripts has more of each.

    Args:
        scripts: Positions in :data:`SCRIPTS`, as :func:`scripts_of` gives them.
    """
    written = (scripts != 0) & (scripts != _NO_TEXT)
    counts = np.bincount(scripts[written], minlength=len(SCRIPTS))
    is_rare = (counts > 0) & (counts < _RARE * counts.sum())
    found: np.ndarray = is_rare[scripts] & written
    return found


def is_no_text(scripts: np.ndarray) -> np.ndarray:
    """Which transcripts hold what no text does: bool [rows]."""
    found: np.ndarray = scripts == _NO_TEXT
    return found
