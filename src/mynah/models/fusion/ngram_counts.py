"""Counts of n-grams that do not fit in memory: sorted runs on disk, merged block by block."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mynah.errors import UserError

# Numbers of words, so that rows sort as their bytes do; how often it counts, and how often it came.
_COLUMNS = 2
_MERGED_ROWS = 2_000_000  # read at a time, of all runs together


class NgramCounts:
    """Counts of the n-grams of one order.

    Each has two: how much it counts for the estimate (for a lower order, after how many words it
    came), and how often it came.

    Args:
        stem: What runs on disk are called, a number behind it.
        order: Words of an n-gram.
        most: Rows in memory; beyond, what is different goes to disk.
    """

    def __init__(self, stem: Path, order: int, most: int) -> None:
        self._stem = stem
        self._order = order
        self._most = most
        self._rows: list[tuple[np.ndarray, np.ndarray]] = []
        self._held = 0
        self._runs: list[Path] = []

    def add(self, ngrams: np.ndarray, counts: np.ndarray) -> None:
        """Count n-grams.

        Args:
            ngrams: ``(rows, order)``, numbers of words.
            counts: ``(rows, 2)``.

        Raises:
            UserError: The disk is full.
        """
        self._rows.append((ngrams, counts))
        self._held += len(ngrams)
        if self._held >= self._most:
            self._rows = [_summed(self._rows)]
            self._held = len(self._rows[0][0])
            if self._held > self._most // 2:
                self._spill()

    def blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """All n-grams in the order of their words' numbers, each once, in blocks of rows."""
        if self._held:
            self._rows = [_summed(self._rows)]
            self._held = len(self._rows[0][0])
        if not self._runs:
            yield from self._rows
            return
        if self._held:
            self._spill()
        at_once = max(1, _MERGED_ROWS // len(self._runs))
        pending = [_Run(path, self._order, at_once) for path in self._runs]
        while pending := [run for run in pending if run.fill()]:
            last = min(run.last for run in pending)
            parts = [run.take(last) for run in pending]
            yield _summed(parts)

    def _spill(self) -> None:
        ngrams, counts = self._rows[0]
        path = self._stem.with_name(f"{self._stem.name}-{len(self._runs)}")
        rows = np.empty(len(ngrams), _row_type(self._order))
        rows["ngram"], rows["counts"] = ngrams, counts
        try:
            with path.open("wb") as file:
                # tofile() loses what the system says of the last buffer, as of a disk that is full.
                file.write(rows.view(np.uint8).data)
        except OSError as error:
            raise UserError(
                f"The counts of n-grams cannot be written: {error.strerror or error}.",
                where=str(path.parent),
                fix="free some space there, or name another place with TMPDIR",
            ) from error
        self._runs.append(path)
        self._rows, self._held = [], 0


class _Run:
    """A sorted run on disk, read block by block."""

    def __init__(self, path: Path, order: int, at_once: int) -> None:
        self._path = path
        self._at_once = at_once
        self._type = _row_type(order)
        self._read = 0
        self._rows = np.empty(0, self._type)

    def fill(self) -> bool:
        """Read on where all was taken; whether any row is left."""
        if not len(self._rows):
            self._rows = np.fromfile(
                self._path, self._type, self._at_once, offset=self._read * self._type.itemsize
            )
            self._read += len(self._rows)
        return len(self._rows) > 0

    @property
    def last(self) -> bytes:
        """The last n-gram that was read, as bytes that sort as n-grams do."""
        return self._key(len(self._rows) - 1)

    def take(self, last: bytes) -> tuple[np.ndarray, np.ndarray]:
        """What was read of n-grams up to one, that one included."""
        end = bisect.bisect_right(range(len(self._rows)), last, key=self._key)
        taken, self._rows = self._rows[:end], self._rows[end:]
        return taken["ngram"].astype(np.uint32), taken["counts"]

    def _key(self, row: int) -> bytes:
        return bytes(self._rows["ngram"][row].tobytes())


def _row_type(order: int) -> np.dtype[np.void]:
    return np.dtype([("ngram", ">u4", (order,)), ("counts", "<i8", (_COLUMNS,))])


def _summed(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """The rows of all parts sorted, those of one n-gram added up."""
    ngrams, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
    if not len(ngrams):
        return ngrams, counts
    order = np.lexsort(ngrams.T[::-1])
    ngrams, counts = ngrams[order], counts[order]
    first = np.empty(len(ngrams), bool)
    first[0] = True
    np.any(ngrams[1:] != ngrams[:-1], axis=1, out=first[1:])
    starts = np.flatnonzero(first)
    return ngrams[starts], np.add.reduceat(counts, starts, axis=0)
