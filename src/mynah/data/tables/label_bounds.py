"""How many frames CTC needs for a text at most, whatever the tokenizer."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

_BLOCK_ROWS = 10_000  # whose texts are looked at together
_SPECIAL_TOKENS = 8  # that a tokenizer may add to a text, at most
_ASCII = 128
_CASE = 0x20  # the bit that tells A from a


def label_bounds(texts: Sequence[str]) -> np.ndarray:
    """At most so many frames does CTC need for a text, int64 [texts], whatever the tokenizer.

    That is a frame a label and one between two equal labels. A label consists of one character
    or more, so of labels of a single character no more are equal to the one before than
    characters are, and a label of two or more characters takes two frames at most. Where
    there are characters beyond ASCII, a label may be a byte of one.
    """
    sizes = np.asarray([len(text) for text in texts], dtype=np.int64)
    characters = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype="<u4")
    ends = np.cumsum(sizes)
    repeats = _repeats(characters, ends - sizes, ends)
    beyond = np.concatenate([[0], np.cumsum(characters >= _ASCII)])
    starts = ends - sizes
    # A character beyond ASCII is four bytes at most, each of which may equal the one before.
    in_bytes = 2 * (sizes + 3 * (beyond[ends] - beyond[starts]))
    bounds: np.ndarray = np.where(beyond[ends] > beyond[starts], in_bytes, sizes + repeats)
    return bounds + _SPECIAL_TOKENS


def label_bounds_of(texts: Iterable[str]) -> np.ndarray:
    """:func:`label_bounds` of many texts, int64 [texts]; few are held at a time."""
    left = iter(texts)
    found = [np.zeros(0, dtype=np.int64)]
    while block := list(itertools.islice(left, _BLOCK_ROWS)):
        found.append(label_bounds(block))
    return np.concatenate(found)


def stored_label_bounds(texts: pa.Array) -> np.ndarray:
    """:func:`label_bounds` of a column, none null: where it is ASCII no text is looked at alone."""
    _, offsets, letters = texts.buffers()
    if letters is None or not len(texts):
        return np.full(len(texts), _SPECIAL_TOKENS, dtype=np.int64)
    edges: np.ndarray = np.frombuffer(offsets, dtype=np.int32)[
        texts.offset : texts.offset + len(texts) + 1
    ]
    content = np.frombuffer(letters, dtype=np.uint8)[edges[0] : edges[-1]]
    if len(content) and content.max() >= _ASCII:
        return label_bounds(texts.to_pylist())
    places = edges.astype(np.int64) - int(edges[0])
    starts, ends = places[:-1], places[1:]
    bounds: np.ndarray = ends - starts + _repeats(content, starts, ends) + _SPECIAL_TOKENS
    return bounds


def _repeats(characters: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Characters of each text that equal the one before them, their case apart, int64 [texts]."""
    folded = np.where(characters < _ASCII, characters | _CASE, characters)
    equal = np.zeros(len(characters) + 1, dtype=np.int64)
    np.cumsum(folded[1:] == folded[:-1], out=equal[2:] if len(characters) else equal[:0])
    found: np.ndarray = equal[ends] - equal[np.minimum(starts + 1, ends)]
    return found
