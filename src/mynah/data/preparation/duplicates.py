"""Recordings that a corpus has twice, found by the digest of their audio."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mynah.data.corpus import Corpus
from mynah.data.tables.facts import AUDIO_DIGEST

_DIGITS = 16  # of a digest: 64 bits in hexadecimal


@dataclass(frozen=True)
class Duplicates:
    """Rows whose audio came before in the corpus.

    Attributes:
        same_text: Rows whose transcript is that of the first of them, too.
        other_text: Rows whose transcript is another.
        first: For each of these rows the first row of the same audio.
    """

    same_text: np.ndarray
    other_text: np.ndarray
    first: dict[int, int]


def digests(corpus: Corpus) -> np.ndarray:
    """uint64 [rows] in the tables' order, the digests of the audio; 0 where it cannot be read."""
    found = list(digest_blocks(corpus))
    return np.concatenate(found) if found else np.empty(0, dtype=np.uint64)


def digest_blocks(corpus: Corpus) -> Iterator[np.ndarray]:
    """:func:`digests`, so that those of few rows are held at a time."""
    if corpus.all_rows.has(AUDIO_DIGEST):  # parsed when they were packed
        yield from map(_numbers, corpus.arrays(AUDIO_DIGEST))
    else:
        yield from map(_parsed, corpus.arrays("digest"))


def find_duplicates(corpus: Corpus, digest: np.ndarray) -> Duplicates:
    """Rows of a corpus that have the audio of an earlier row.

    Args:
        corpus: Its transcripts are compared where the audio is the same.
        digest: :func:`digests` of it.
    """
    order = np.argsort(digest, kind="stable")
    ordered = digest[order]
    same = (ordered[1:] == ordered[:-1]) & (ordered[1:] != 0)
    again = np.flatnonzero(same) + 1  # places of later ones; the first is before its run
    place = np.arange(len(ordered))
    place[1:][same] = 0
    first_place = np.maximum.accumulate(place)
    first = {int(order[at]): int(order[first_place[at]]) for at in again}
    same_text: list[int] = []
    other_text: list[int] = []
    for row in sorted(first):
        alike = corpus.texts[row] == corpus.texts[first[row]]
        (same_text if alike else other_text).append(row)
    return Duplicates(
        np.asarray(same_text, dtype=np.int64), np.asarray(other_text, dtype=np.int64), first
    )


def _numbers(array: pa.Array) -> np.ndarray:
    found: np.ndarray = array.to_numpy()
    return found


def _parsed(array: pa.Array) -> np.ndarray:
    if not len(array):
        return np.empty(0, dtype=np.uint64)
    known = pc.fill_null(pc.equal(pc.binary_length(array), _DIGITS), False)
    texts = pc.if_else(known, array, "0" * _DIGITS)
    letters = np.frombuffer(texts.buffers()[2], dtype=np.uint8, count=len(array) * _DIGITS)
    values = np.where(letters >= ord("a"), letters - (ord("a") - 10), letters - ord("0"))
    pairs = values.reshape(-1, 2).astype(np.uint8)
    content = (pairs[:, 0] << 4 | pairs[:, 1]).astype(np.uint8)
    return content.reshape(-1, 8).copy().view(">u8").reshape(-1).astype(np.uint64)
