"""The tables that a corpus consists of, and the fingerprint of what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mynah.data.tables.table import Table
from mynah.data.text import TextPolicy


@dataclass(frozen=True)
class Piece:
    """A table that a corpus consists of, and how its rows are seen.

    Attributes:
        table: The prepared rows.
        policy: What becomes of its transcripts; None: they stay as they are.
        language: In place of the rows' own; None: theirs.
        source: In place of the rows' own; None: theirs.
        prefix: Before its ids, so that they stay unique beside those of other pieces.
    """

    table: Table
    policy: TextPolicy | None = None
    language: str | None = None
    source: str | None = None
    prefix: str = ""


def fingerprint_of(
    pieces: Sequence[Piece],
    rows: np.ndarray | None,
    *,
    repeats: np.ndarray | None,
    sample_rate: int,
) -> str:
    """Of the content, from the tables' own fingerprints: no row is read.

    Args:
        pieces: Tables and how they are seen.
        rows: Which rows are meant; None: all.
        repeats: How often each is sampled.
        sample_rate: Hertz.
    """
    digest = hashlib.blake2b(digest_size=16)
    for piece in pieces:
        policy = _written(piece.policy) if piece.policy and not piece.policy.is_plain else "None"
        content = f"({piece.table.fingerprint!r}, {policy}, {piece.prefix!r})"
        digest.update(content.encode())
    digest.update(b"all" if rows is None else np.asarray(rows, dtype=np.int64).tobytes())
    digest.update(b"once" if repeats is None else repeats.tobytes())
    digest.update(str(sample_rate).encode())
    return digest.hexdigest()


def _written(policy: TextPolicy) -> str:
    """A policy as fingerprints have held it since the first one, whatever its class is called."""
    return f"TextPolicy({', '.join(f'{name}={value!r}' for name, value in policy.named.items())})"
