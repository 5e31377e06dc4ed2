"""The tables that a corpus consists of, and the fingerprint of what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np
import pyarrow as pa

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


class Pieces(Sequence[Piece]):
    """Tables one after the other, as one.

    It can be pickled: what is sent is where they lie.
    """

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = tuple(pieces)

    def __getstate__(self) -> dict[str, Any]:
        return {"_pieces": self._pieces}

    def __len__(self) -> int:
        return len(self._pieces)

    @overload
    def __getitem__(self, number: int) -> Piece: ...

    @overload
    def __getitem__(self, number: slice) -> tuple[Piece, ...]: ...

    def __getitem__(self, number: int | slice) -> Piece | tuple[Piece, ...]:
        return self._pieces[number]

    @cached_property
    def table(self) -> pa.Table:
        """Their rows, memory-mapped."""
        tables = [piece.table.arrow for piece in self._pieces]
        if len(tables) == 1:
            return tables[0]
        # A dataset's own audio column may name its fields in another order.
        return pa.concat_tables(tables, promote_options="permissive")

    def at(self, row: int) -> Piece:
        """The piece that a row of them all is in."""
        if len(self._pieces) == 1:
            return self._pieces[0]
        return self._pieces[int(np.searchsorted(self._starts, row, side="right")) - 1]

    @cached_property
    def _starts(self) -> np.ndarray:
        return np.cumsum([0, *(len(piece.table) for piece in self._pieces)])

    @property
    def are_plain(self) -> bool:
        """Whether transcripts are seen as they are stored, but for NFC and single spaces."""
        return all(piece.policy is not None and piece.policy.is_plain for piece in self._pieces)

    @property
    def statistics(self) -> list[dict[str, Any] | None]:
        """Of each table what was counted of it; None where nothing was."""
        return [piece.table.about.get("statistics") for piece in self._pieces]

    def release(self) -> None:
        """Let go of the memory of what was read of their rows."""
        for piece in self._pieces:
            piece.table.release()
        pa.default_memory_pool().release_unused()


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
    digest.update(b"all" if rows is None else np.ascontiguousarray(rows, np.int64).data)
    digest.update(b"once" if repeats is None else np.ascontiguousarray(repeats).data)
    digest.update(str(sample_rate).encode())
    return digest.hexdigest()


def _written(policy: TextPolicy) -> str:
    """A policy as fingerprints have held it since the first one, whatever its class is called."""
    return f"TextPolicy({', '.join(f'{name}={value!r}' for name, value in policy.named.items())})"
