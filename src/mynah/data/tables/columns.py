"""Columns of a table on disk, read where they are asked for and never all at once."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

_BLOCK_ROWS = 10_000  # read together while a column is gone through
_RELEASED_ROWS = 1 << 20  # after which what is mapped of their numbers is let go


class StoredColumn:
    """Values of one column by their row, whatever pieces the table consists of."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._chunks = [chunk for chunk in column.chunks if len(chunk)]
        sizes = [len(chunk) for chunk in self._chunks]
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self._listed_starts: list[int] = self._starts.tolist()  # quicker to look one row up in
        self._quick: dict[int, Callable[[int], Any]] = {}

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, row: int) -> Any:
        number = bisect.bisect_right(self._listed_starts, row) - 1
        if number not in self._quick:
            self._quick[number] = _reader(self._chunks[number])
        return self._quick[number](row - self._listed_starts[number])

    def arrays(self, rows: np.ndarray | None = None) -> Iterator[pa.Array]:
        """The values of ascending rows as Arrow arrays, one after the other; None: of all."""
        if rows is None:
            yield from self._chunks
            return
        edges = np.searchsorted(rows, self._starts)
        for number, chunk in enumerate(self._chunks):
            local = rows[edges[number] : edges[number + 1]] - self._starts[number]
            if len(local) == len(chunk):
                yield chunk
            elif len(local):
                yield chunk.take(pa.array(local))

    def take(self, rows: np.ndarray) -> list[Any]:
        """The values of some rows, in the order of the rows."""
        numbers = np.searchsorted(self._starts, rows, side="right") - 1
        if len(numbers) and (numbers[1:] < numbers[:-1]).any():
            order = np.argsort(numbers, kind="stable")
            found = np.empty(len(rows), dtype=object)
            found[order] = self.take(rows[order])
            return list(found)
        values: list[Any] = []
        edges = np.flatnonzero(np.diff(numbers)) + 1
        for part in np.split(np.arange(len(rows)), edges) if len(rows) else []:
            number = int(numbers[part[0]])
            local = rows[part] - self._starts[number]
            values += self._chunks[number].take(pa.array(local)).to_pylist()
        return values


def _reader(chunk: pa.Array) -> Callable[[int], Any]:
    """Reads one value: of numbers, texts and nothing without a scalar of Arrow."""
    if chunk.null_count == len(chunk):
        return lambda row: None
    if chunk.null_count == 0 and pa.types.is_primitive(chunk.type) and _is_number(chunk.type):
        item: Callable[[int], Any] = chunk.to_numpy(zero_copy_only=True).item
        return item
    if chunk.null_count == 0 and chunk.type in _OFFSETS:
        return _text_reader(chunk)
    if chunk.null_count == 0 and pa.types.is_struct(chunk.type):
        parts = {field.name: _reader(chunk.field(field.name)) for field in chunk.type}
        return lambda row: {name: read(row) for name, read in parts.items()}
    return lambda row: chunk[row].as_py()


# How wide the offsets are between the texts of a column.
_OFFSETS = {pa.string(): np.int32, pa.large_string(): np.int64}


def _text_reader(chunk: pa.Array) -> Callable[[int], str]:
    """Reads one text from Arrow's buffers: a scalar of Arrow takes ten times as long."""
    _, offsets, letters = chunk.buffers()
    edges = np.frombuffer(offsets, dtype=_OFFSETS[chunk.type])[chunk.offset :]
    # Of a column of empty texts there may be no letters at all.
    held = memoryview(letters) if letters is not None else memoryview(b"")

    def read(row: int) -> str:
        return str(held[edges[row] : edges[row + 1]], "utf-8")

    return read


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def numbers(
    column: pa.ChunkedArray, missing: float = 0, release: Callable[[], None] | None = None
) -> np.ndarray:
    """A column of numbers or truth values, [rows].

    Args:
        column: As it is stored.
        missing: In place of a number that is missing.
        release: Lets go of what was read of the files: called after each million rows, whose
            mapped pages take more memory than their numbers. None: nothing is let go.
    """
    made = np.empty(len(column), dtype=column.type.to_pandas_dtype())
    for start in range(0, len(column), _RELEASED_ROWS):
        block = column.slice(start, _RELEASED_ROWS)
        if block.null_count:
            block = block.fill_null(pa.scalar(missing).cast(column.type))
        made[start : start + _RELEASED_ROWS] = block.to_numpy()
        if release is not None:
            release()
    return made


def index_type(rows: int) -> Any:
    """The smallest type that numbers so many rows: a worker is sent as many bytes."""
    return np.int32 if rows < 2**31 else np.int64


class Column(Sequence[str]):
    """Texts of a corpus, one a row: a sequence whose values are read when they are asked for.

    Args:
        stored: The table's column.
        rows: Which of the table's rows are meant, in their order; None: all.
        shown: Makes what is seen of (what is stored, the table's row).
    """

    def __init__(
        self,
        stored: StoredColumn,
        rows: np.ndarray | None,
        shown: Callable[[Any, int], str],
    ) -> None:
        self._stored = stored
        self._rows = rows
        self._shown = shown

    @cached_property
    def _length(self) -> int:
        return len(self._stored) if self._rows is None else len(self._rows)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, position: Any) -> Any:
        if isinstance(position, slice):
            return self._read(np.arange(len(self))[position])
        if not -len(self) <= position < len(self):
            raise IndexError(f"row {position} of {len(self)}")
        row = int(position) % len(self)
        return self.stored(row if self._rows is None else int(self._rows[row]))

    def stored(self, row: int) -> str:
        """What is seen of a row of the table."""
        return self._shown(self._stored[row], row)

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _BLOCK_ROWS):
            yield from self._read(np.arange(start, min(start + _BLOCK_ROWS, len(self))))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self):,} values: {', '.join(map(repr, self[:3]))}, …>"

    def _read(self, positions: np.ndarray) -> list[str]:
        rows = positions if self._rows is None else self._rows[positions].astype(np.int64)
        values = self._stored.take(rows)
        return [self._shown(value, int(row)) for value, row in zip(values, rows, strict=True)]
