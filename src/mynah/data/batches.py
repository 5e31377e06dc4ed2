"""Which rows are in which batch: arithmetic on (seed, epoch, lengths, budget), no state.

Rows are sorted by length and cut into buckets of nearly equal length. A bucket's batch size
is fixed, so that the number of batches is the same in every epoch; each epoch permutes the
rows inside their bucket and then the batches over the epoch, so that step and length are
uncorrelated. The ranks' batches of one step come from one bucket: no rank waits for another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_BUCKET_WIDTH = 0.03  # longest over shortest row of a bucket, less one: half of it is padded
_BUCKET_BATCHES = 4  # at least, a rank: fewer would make the same batches epoch after epoch
_SHORTEST_SECONDS = 0.05  # shorter rows count as this, so that a batch's size stays finite


@dataclass(frozen=True)
class _Bucket:
    start: int  # first position in the sorted order
    rows: int
    steps: int  # batches a rank


class BatchPlan:
    """The batches of every epoch.

    Args:
        durations_seconds: Length of each row, [rows].
        seed: Any other seed gives other orders.
        batch_seconds: Padded seconds that a batch never exceeds, but for a single row that
            is longer alone; None: no budget.
        batch_size: Rows a batch has at most; None: as the budget allows.
        world_size: Ranks; each gets its own batch of every step.

    Attributes:
        batches_per_epoch: Batches a rank has, the same in every epoch and for every rank.

    Raises:
        ValueError: There are no rows, a length is no number, or neither limit is given.
    """

    def __init__(
        self,
        durations_seconds: Sequence[float] | np.ndarray,
        *,
        seed: int,
        batch_seconds: float | None,
        batch_size: int | None,
        world_size: int = 1,
    ) -> None:
        lengths = np.asarray(durations_seconds, dtype=np.float64)
        if lengths.ndim != 1 or not len(lengths):
            raise ValueError("a batch plan needs at least one row")
        if not np.isfinite(lengths).all() or (lengths < 0).any():
            raise ValueError("a length is negative or no number")
        if batch_seconds is None and batch_size is None:
            raise ValueError("a batch plan needs batch_seconds or batch_size")
        if world_size < 1 or (batch_size is not None and batch_size < 1):
            raise ValueError("world_size and batch_size are at least 1")
        self._lengths = lengths
        self._seed = seed
        self._world_size = world_size
        # Longest first; equal lengths in the order of the rows.
        self._sorted = np.argsort(-lengths, kind="stable")
        self._buckets = self._cut(batch_seconds, batch_size)
        steps = np.asarray([bucket.steps for bucket in self._buckets])
        self._first_step = np.concatenate([[0], np.cumsum(steps)])
        self.batches_per_epoch = int(self._first_step[-1])
        self._epoch = -1
        self._order = np.empty(0, dtype=np.int64)
        self._permuted: dict[int, np.ndarray] = {}

    def batch(self, epoch: int, index: int, rank: int = 0) -> list[tuple[int, float]]:
        """(row, weight) pairs of one batch; the weight is 0.0 where a row only fills a place.

        Raises:
            IndexError: ``index`` or ``rank`` is out of range.
        """
        if not 0 <= index < self.batches_per_epoch or not 0 <= rank < self._world_size:
            raise IndexError(f"batch {index} of rank {rank}")
        if epoch != self._epoch:
            generator = np.random.default_rng([self._seed, epoch])
            self._order = generator.permutation(self.batches_per_epoch)
            self._permuted = {}
            self._epoch = epoch
        step = int(self._order[index])
        number = int(np.searchsorted(self._first_step, step, side="right")) - 1
        bucket = self._buckets[number]
        place = (step - int(self._first_step[number])) * self._world_size + rank
        batches = bucket.steps * self._world_size
        low, high = (place * bucket.rows) // batches, ((place + 1) * bucket.rows) // batches
        rows = self._rows(epoch, number)
        if low == high:  # fewer rows than ranks: this rank only keeps step
            return [(int(rows[low % bucket.rows]), 0.0)]
        return [(int(row), 1.0) for row in rows[low:high]]

    def padding_fraction(self, epoch: int = 0) -> float:
        """Share of the padded seconds of an epoch that is padding."""
        padded = 0.0
        for number, bucket in enumerate(self._buckets):
            lengths = self._lengths[self._rows_of(epoch, number)]
            batches = bucket.steps * self._world_size
            edges = np.unique((np.arange(batches) * bucket.rows) // batches)
            sizes = np.diff(np.append(edges, bucket.rows))
            padded += float((np.maximum.reduceat(lengths, edges) * sizes).sum())
        return 1.0 - float(self._lengths.sum()) / padded if padded else 0.0

    def _cut(self, batch_seconds: float | None, batch_size: int | None) -> list[_Bucket]:
        lengths = np.maximum(self._lengths[self._sorted], _SHORTEST_SECONDS)
        buckets: list[_Bucket] = []
        start, total = 0, len(lengths)
        while start < total:
            longest = float(lengths[start])
            size = batch_size or total
            if batch_seconds is not None:
                size = min(size, max(int(batch_seconds / longest), 1))
            step_rows = size * self._world_size
            # All rows that are nearly as long as the longest, but enough for the epochs to
            # differ; and whole steps, so that no batch is left partly empty.
            shortest = longest / (1 + _BUCKET_WIDTH)
            near = int(np.searchsorted(-lengths, -shortest, side="right")) - start
            rows = max(near, _BUCKET_BATCHES * step_rows)
            rows = -(-rows // step_rows) * step_rows
            if total - start - rows < _BUCKET_BATCHES * step_rows // 2:
                rows = total - start
            steps = -(-rows // step_rows)
            buckets.append(_Bucket(start, rows, steps))
            start += rows
        return buckets

    def _rows(self, epoch: int, number: int) -> np.ndarray:
        if number not in self._permuted:
            self._permuted[number] = self._rows_of(epoch, number)
        return self._permuted[number]

    def _rows_of(self, epoch: int, number: int) -> np.ndarray:
        bucket = self._buckets[number]
        rows = self._sorted[bucket.start : bucket.start + bucket.rows]
        return np.random.default_rng([self._seed, epoch, number]).permutation(rows)
