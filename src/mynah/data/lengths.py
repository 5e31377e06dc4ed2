"""Lengths of rows as a plan of batches counts and sorts them, in little memory beside their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

UNIT = 1 << 32  # repeats are whole numbers of this: sums are exact on any machine

_BLOCK_ROWS = 1 << 20  # that are looked at together


def blocks(rows: int) -> Iterator[slice]:
    """All rows, some after the other: what is computed of them takes little memory then."""
    for start in range(0, rows, _BLOCK_ROWS):
        yield slice(start, min(start + _BLOCK_ROWS, rows))


def checked_lengths(durations_seconds: Sequence[float] | np.ndarray) -> np.ndarray:
    """float32 [rows], rounded up: a budget that holds for these holds for the true lengths.

    Args:
        durations_seconds: Of each row; what :func:`rounded_up` gives is not copied.

    Raises:
        ValueError: There are no rows, or a length is negative or not a number.
    """
    lengths = np.asarray(durations_seconds)
    if lengths.dtype != np.float32:
        lengths = lengths.astype(np.float64, copy=False)
    if lengths.ndim != 1 or not len(lengths):
        raise ValueError("a batch plan needs at least one row")
    if not np.isfinite(lengths).all() or (lengths < 0).any():
        raise ValueError("a length is negative or not a number")
    return rounded_up(lengths)


def rounded_up(values: np.ndarray) -> np.ndarray:
    """float32, none of them below its value: what a plan holds of lengths."""
    if values.dtype == np.float32:
        return values
    rounded = values.astype(np.float32)
    low = rounded < values
    rounded[low] = np.nextafter(rounded[low], np.float32(np.inf))
    return rounded


def per_row(values: Sequence[float] | np.ndarray, rows: int, kind: type, name: str) -> np.ndarray:
    array = np.asarray(values)
    if array.shape != (rows,):
        raise ValueError(f"there is not one {name} a row")
    if not np.isfinite(array).all() or (array < 0).any():
        raise ValueError(f"{name} is negative or not a number")
    return array.astype(kind, copy=False)


def longest_first(counted: np.ndarray, repeats: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The rows that are ever sampled, longest first, and what each counts, [rows] both.

    Equal lengths stay in the order of the rows: the keys are all different, so that any
    sorting algorithm gives this order.

    Args:
        counted: float32 [rows], above 0; what each counts is written in its place.
        repeats: How often a row comes; None: each once.
    """
    bits = counted.view(np.uint32)  # of positive numbers they are in the order of the values
    keys = np.empty(len(bits), dtype=np.uint64)
    for some in blocks(len(bits)):  # what is computed of all rows at once is 8 bytes each
        keys[some] = ~bits[some]
        keys[some] <<= np.uint64(32)
        keys[some] |= np.arange(some.start, some.stop, dtype=np.uint64)
    if repeats is not None:
        keys = keys[np.rint(repeats * UNIT) > 0]
    keys.sort()
    rows = np.empty(len(keys), dtype=np.uint32)
    for some in blocks(len(keys)):
        rows[some] = keys[some] & np.uint64(0xFFFFFFFF)
        bits[some] = ~(keys[some] >> np.uint64(32)).astype(np.uint32)
    return rows, counted[: len(keys)]
