"""Words and characters of transcripts, counted block by block."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_CODE_POINTS = 0x110000
# What no one says as it is written, in the classes of RE2; Cf, the joiners of many scripts, stays.
_DIGIT = r"\p{N}"
_SYMBOL = r"[\p{S}\p{Cc}\p{Co}@#%&*_/\\<>\[\]{}\x{FFFD}]"


@dataclass
class TextCounts:
    """What a set of transcripts holds; :meth:`add` takes them in blocks.

    Attributes:
        tokens: What stands between spaces, as it is written, with its count.
    """

    tokens: Counter[str] = field(default_factory=Counter)
    _characters: np.ndarray = field(
        default_factory=lambda: np.zeros(_CODE_POINTS, dtype=np.int64), repr=False
    )

    def add(self, texts: pa.Array) -> None:
        """Count a block of transcripts."""
        tokens = pc.utf8_split_whitespace(texts).flatten()
        counted = pc.value_counts(tokens.filter(pc.not_equal(tokens, "")))
        values = counted.field("values").to_pylist()
        for token, count in zip(values, counted.field("counts").to_pylist(), strict=True):
            self.tokens[token] += count
        joined = "".join(texts.to_pylist())
        points = np.frombuffer(joined.encode("utf-32-le", "replace"), dtype=np.uint32)
        found = np.bincount(points)
        self._characters[: len(found)] += found

    def merge(self, other: TextCounts) -> None:
        """Add what another has counted."""
        self.tokens.update(other.tokens)
        self._characters += other._characters

    @property
    def characters(self) -> dict[str, int]:
        """Every character with its count, the most frequent first."""
        there = np.flatnonzero(self._characters)
        order = there[np.argsort(-self._characters[there], kind="stable")]
        return {chr(point): int(self._characters[point]) for point in order}


@dataclass(frozen=True)
class TextColumns:
    """What a block of transcripts measures, [rows] each.

    Attributes:
        characters: Unicode characters, spaces between words included, none around.
        words: What stands between spaces.
        digits: Whether there is a digit or another number.
        symbols: Whether there is a symbol or a control character, as no one says them.
        keys: Equal for transcripts that differ in case and punctuation alone.
    """

    characters: np.ndarray
    words: np.ndarray
    digits: np.ndarray
    symbols: np.ndarray
    keys: np.ndarray


def text_array(texts: Sequence[str]) -> pa.Array:
    """Transcripts as Arrow has them; a broken character becomes ``?``."""
    try:
        return pa.array(texts, pa.string())
    except UnicodeEncodeError:
        return pa.array([text.encode(errors="replace").decode() for text in texts], pa.string())


def measure_texts(texts: pa.Array) -> TextColumns:
    """Measure one block."""
    trimmed = pc.utf8_trim_whitespace(texts)
    split = pc.list_value_length(pc.utf8_split_whitespace(trimmed))
    empty = pc.equal(pc.utf8_length(trimmed), 0)
    words = pc.if_else(empty, 0, split)
    spaced = pc.replace_substring_regex(pc.utf8_lower(trimmed), r"[^\pL\pM\pN]+", " ")
    bare = pc.utf8_trim_whitespace(spaced)
    keys = np.fromiter(map(hash, bare.to_pylist()), dtype=np.int64, count=len(bare))
    return TextColumns(
        characters=pc.utf8_length(trimmed).to_numpy(zero_copy_only=False),
        words=words.to_numpy(zero_copy_only=False),
        digits=pc.match_substring_regex(texts, _DIGIT).to_numpy(zero_copy_only=False),
        symbols=pc.match_substring_regex(texts, _SYMBOL).to_numpy(zero_copy_only=False),
        keys=keys,
    )


def having_any(texts: pa.Array, characters: frozenset[str]) -> np.ndarray:
    """Which transcripts hold any of some characters, [rows]."""
    if not characters:
        return np.zeros(len(texts), dtype=bool)
    listed = "".join(f"\\x{{{ord(character):X}}}" for character in sorted(characters))
    found = pc.match_substring_regex(texts, f"[{listed}]")
    held: np.ndarray = found.to_numpy(zero_copy_only=False)
    return held


_NUMBER = re.compile(r"\S*\d\S*")


def numbers_in(text: str) -> list[str]:
    """Words with digits."""
    return _NUMBER.findall(text)


def symbols_in(text: str) -> list[str]:
    """Symbols and control characters, each once, in order of appearance."""
    return list(dict.fromkeys(c for c in text if _is_symbol(c)))


def _is_symbol(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] == "S" or category in ("Cc", "Co") or character in "@#%&*_/\\<>[]{}"
