"""Cutting rows that are sorted by length into buckets of nearly equal length.

A bucket's batches are all of one size, so that an epoch has the same number of steps whatever
the order of its rows. Where there are many rows of nearly one length, every epoch mixes all of
a bucket. Where there are few, that would pad a lot: each epoch moves its rows only so far that
its batches are not those of the epoch before.
"""

from __future__ import annotations

import bisect
import math
import operator
from dataclasses import dataclass

import numpy as np

_ALIKE = 1.03  # longest over shortest row that count as of one length: half of it is padded
_MIXED = 1.05  # longest over shortest row of a bucket that is mixed in full, at most
_BATCHES = 4  # of a bucket, a rank, at least: fewer would come again in the next epoch
# Pairs meet again easily: of a bucket of n rows, n // 2 pairs, one in n - 1 comes back.
_ROWS_OF_PAIRS = 42
# A batch of this much audio keeps a processor busy. What is more is filled in only with rows
# of nearly the same length: where there are none, it would be padding that is computed.
_ENOUGH_SECONDS = 60.0
_DRIFT = 0.4  # of a batch: how far rows move apart where a bucket is not mixed in full
_LEAST_DRIFT = 12  # rows: with fewer, small batches would come again
_DRIFT_OF_PAIRS = 32


@dataclass(frozen=True)
class Bucket:
    """Neighbours in the order of length that share batches.

    Attributes:
        start: First position in the sorted order.
        rows: Rows, neighbours in the sorted order.
        steps: Batches a rank has of it in an epoch.
        drift: Places in the sorted order that an epoch moves a row by at most; None: all of
            the bucket is mixed.
    """

    start: int
    rows: int
    steps: int
    drift: float | None


class Places:
    """How many places of an epoch the rows before a position of the sorted order take.

    Args:
        rows: Rows there are.
        cumulative: Places of the rows up to each position, that one included, in units of
            ``1 / unit``, int64 [rows]; None: one place a row.
        unit: What one place is in ``cumulative``.
    """

    def __init__(self, rows: int, cumulative: np.ndarray | None, unit: int) -> None:
        self.rows = rows
        self._cumulative = cumulative
        self._unit = unit

    def between(self, start: int, end: int) -> int:
        """Places of the rows from ``start`` to before ``end``, rounded up."""
        if self._cumulative is None:
            return end - start
        return -(-(self._before(end) - self._before(start)) // self._unit)

    def end_of(self, start: int, places: int) -> int:
        """Where the rows from ``start`` on that fill ``places`` and no more end; one at least."""
        if self._cumulative is None:
            return min(start + places, self.rows)
        full = self._before(start) + places * self._unit
        return max(int(np.searchsorted(self._cumulative, full, side="right")), start + 1)

    def _before(self, position: int) -> int:
        assert self._cumulative is not None
        return int(self._cumulative[position - 1]) if position else 0


def cut(
    lengths: np.ndarray,
    places: Places,
    *,
    batch_seconds: float | None,
    batch_size: int | None,
    world_size: int,
) -> list[Bucket]:
    """Cut rows into buckets.

    Args:
        lengths: What each row counts towards the budget, falling, float [rows], above 0.
        places: How many places of an epoch they take.
        batch_seconds: Rows × longest that a batch never exceeds, but for a single row.
        batch_size: Rows that a batch never exceeds.
        world_size: Ranks, each of which has a batch in every step.
    """
    buckets: list[Bucket] = []
    start, total = 0, places.rows
    while start < total:
        longest = float(lengths[start])
        size = batch_size or places.between(0, total)
        if batch_seconds is not None:
            size = min(size, _rows_within(batch_seconds, longest))
        alike_end = bisect.bisect_right(lengths, -longest / _ALIKE, lo=start, key=operator.neg)
        alike = places.between(start, alike_end)
        fewest = _fewest(size) * world_size
        fewest_end = places.end_of(start, fewest)
        drift = None
        if alike < fewest and longest > _MIXED * float(lengths[fewest_end - 1]):
            if batch_seconds is not None:
                enough = _rows_within(min(batch_seconds, _ENOUGH_SECONDS), longest)
                size = min(size, max(enough, -(-alike // world_size)))
            drift = max(_DRIFT * size, _DRIFT_OF_PAIRS if size == 2 else _LEAST_DRIFT)
            fewest = _fewest(size) * world_size
            alike = 0
        # Full steps, so that no batch is left partly empty.
        step_rows = size * world_size
        end = places.end_of(start, -(-max(alike, fewest) // step_rows) * step_rows)
        if places.between(end, total) < fewest // 2:
            end = total
        taken = max(places.between(start, end), 1)
        buckets.append(Bucket(start, end - start, -(-taken // step_rows), drift))
        start = end
    return buckets


def _fewest(size: int) -> int:
    """Rows of a bucket at least, a rank, for batches of a size."""
    return max(_BATCHES * size, _ROWS_OF_PAIRS if size == 2 else 0)


def _rows_within(budget: float, longest: float) -> int:
    """Rows of that length that fit the budget, one at least."""
    rows = max(math.floor(budget / longest), 1)
    while rows > 1 and rows * longest > budget:  # the division may have been rounded up
        rows -= 1
    return rows
