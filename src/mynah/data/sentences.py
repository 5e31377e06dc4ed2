"""Transcripts as they are compared between splits: without case and punctuation."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def sentences(texts: pa.Array) -> pa.Array:
    """Small letters and digits, single spaces; "" where there is nothing to compare."""
    small = pc.utf8_lower(pc.utf8_normalize(pc.fill_null(texts, ""), "NFKC"))
    bare = pc.replace_substring_regex(small, r"['\x{2019}]", "")
    return pc.utf8_trim(pc.replace_substring_regex(bare, r"[^\pL\pM\pN]+", " "), " ")


def sentence_hashes(texts: pa.Array) -> np.ndarray:
    """uint64 [texts]: equal for texts that are equal as :func:`sentences`; 0 for none."""
    return hashes_of(sentences(texts))


def hashes_of(made: pa.Array) -> np.ndarray:
    """:func:`sentence_hashes` of what :func:`sentences` gave."""
    return np.asarray([_hash(one) for one in made.to_pylist()], dtype=np.uint64)


def _hash(sentence: str) -> int:
    if not sentence:
        return 0
    return int.from_bytes(hashlib.blake2b(sentence.encode(), digest_size=8).digest(), "little") or 1
