"""Which rows are in which batch: arithmetic on (seed, epoch, lengths, budget), no state.

Rows are sorted by length and cut into buckets of nearly equal length (``buckets.py``). A
bucket's batch size is fixed, so that the number of batches is the same in every epoch; each
epoch mixes the rows inside their bucket and then the batches over the epoch, so that step and
length are uncorrelated. The ranks' batches of one step come from one bucket: no rank waits for
another.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from mynah.data.buckets import Bucket, Places, cut
from mynah.data.lengths import UNIT, blocks, checked_lengths, longest_first, per_row, rounded_up
from mynah.data.positions import NumberedBatches

CHARACTERS_A_SECOND = 30.0  # faster than anybody speaks: 23 in 6,000 utterances of read speech

_SHORTEST_SECONDS = 0.05  # shorter rows count as this, so that a batch's size stays finite
# Weyl sequence of the golden ratio: evenly spread over the epochs, and each of the 2**32 values
# comes once in a period, so that a row's mean over the epochs is its repeats and no other.
_GOLDEN = 0x9E3779B9

# Rows in the order of their batches, and which copy of its row each is; None: all the first.
Ordered = tuple[np.ndarray, np.ndarray | None]


class BatchPlan(NumberedBatches):
    """The batches of every epoch.

    Without ``repeats`` each row comes once an epoch. With them, a row comes in each epoch as
    often as its repeats say, rounded down in some epochs and up in others so that the mean is
    kept; an epoch still has the same number of batches.

    Args:
        durations_seconds: Length of each row, [rows]; what :func:`rounded_up` gives is not copied.
        seed: Any other seed gives other orders.
        batch_seconds: Padded seconds that a batch never exceeds, but for a single row that
            is longer alone; None: no budget. A batch is filled with rows of nearly the same
            length, and beyond 60 seconds with no others.
        batch_size: Rows a batch has at most; None: as the budget allows.
        world_size: Ranks; each gets its own batch of every step.
        rank: Whose batches a training here gets.
        processes: How many there are, where they are fewer than the ranks: each has the batches
            of several in turn, so that together they have the same ones for a step. None: one
            a rank.
        text_lengths: Characters of each row's transcript, [rows]; None: they do not count.
        repeats: How often a row comes in an epoch on average, [rows], 0 for never; None: once.
        characters_a_second: A row counts towards ``batch_seconds`` as its transcript at this
            rate where that is longer than its audio; None: transcripts do not count. Neither
            padded seconds nor padded characters / ``characters_a_second`` of a batch then
            exceed the budget.

    Attributes:
        batches_per_epoch: Batches a process has, the same in every epoch and for every one.
        rows_per_epoch: Rows that all ranks together have in an epoch, on average.
        world_size: Ranks.
        rank: Whose batches a training here gets.

    Raises:
        ValueError: There are no rows, a length is not a number, or neither limit is given.
    """

    def __init__(
        self,
        durations_seconds: Sequence[float] | np.ndarray,
        *,
        seed: int,
        batch_seconds: float | None,
        batch_size: int | None,
        world_size: int = 1,
        rank: int = 0,
        processes: int | None = None,
        text_lengths: Sequence[int] | np.ndarray | None = None,
        repeats: Sequence[float] | np.ndarray | None = None,
        characters_a_second: float | None = CHARACTERS_A_SECOND,
    ) -> None:
        self._epoch = -1
        self._order = np.empty(0, dtype=np.uint32)
        self._permuted: dict[int, Ordered] = {}
        self._lengths = checked_lengths(durations_seconds)
        self._seed = seed
        self.world_size = world_size
        self.rank = rank
        self._processes = max(processes or world_size, 1)
        self._turns = world_size // self._processes
        self._characters = None
        self._characters_a_second = characters_a_second
        if text_lengths is not None and characters_a_second is not None:
            self._characters = per_row(text_lengths, len(self._lengths), np.int32, "text length")
        counted = self._counted()
        often = None if repeats is None else per_row(repeats, len(counted), np.float64, "repeats")
        if often is not None and (often == 1).all():
            often = None
        self._sorted, counted = longest_first(counted, often)
        self._repeats = None  # of each row in the sorted order, in units of 1 / UNIT
        if often is not None:
            if not len(self._sorted):
                raise ValueError("a batch plan needs at least one row that is repeated")
            if often.sum() >= 2**31:
                raise ValueError("the repeats add up to more rows than can be counted")
            self._repeats = np.rint(often[self._sorted] * UNIT).astype(np.int64)
        self._cut(counted, batch_seconds, batch_size)

    def resized(self, batch_seconds: float) -> BatchPlan:
        """The plan of the same rows for another budget, without sorting them again."""
        other = copy.copy(self)
        other._cut(self._counted()[self._sorted], batch_seconds, None)
        return other

    def batch(self, epoch: int, index: int, rank: int = 0) -> list[tuple[int, float]]:
        """(row, weight) pairs of one batch; the weight is 0.0 where a row only fills a place.

        Raises:
            IndexError: ``index`` or ``rank`` is out of range.
        """
        bucket, number, low, high = self._place(epoch, index, rank)
        if low == high:  # fewer rows than batches: this rank only keeps step
            return [(self._filler(bucket), 0.0)]
        rows, _ = self._held(epoch, number)
        return [(int(row), 1.0) for row in rows[low:high]]

    def copies(self, epoch: int, index: int, rank: int = 0) -> list[int]:
        """Which copy of its row each place of a batch holds: 0, 1, … where a row is repeated.

        Copies of one row are so distinguished, and can be augmented each in its own way.
        """
        _, number, low, high = self._place(epoch, index, rank)
        _, copies = self._held(epoch, number)
        if copies is None or low == high:
            return [0] * max(high - low, 1)
        return [int(copy) for copy in copies[low:high]]

    def padded_seconds(self, epoch: int = 0) -> float:
        """Rows × longest over all batches of an epoch, of all ranks."""
        return self._seconds(epoch)[0]

    def padding_fraction(self, epoch: int = 0) -> float:
        """Share of the padded seconds of an epoch that is padding."""
        padded, real = self._seconds(epoch)
        return 1.0 - real / padded if padded else 0.0

    def typical_batch(self) -> list[int]:
        """Rows of a batch such as half of the steps are smaller than, in padded seconds."""
        sizes = np.asarray(
            [
                self._full_batch(bucket) * longest
                for bucket, longest in zip(self._buckets, self._longest, strict=True)
            ]
        )
        order = np.argsort(sizes, kind="stable")
        steps = np.cumsum([self._buckets[number].steps for number in order])
        median = int(np.searchsorted(steps, steps[-1] / 2))
        bucket = self._buckets[order[median]]
        rows = self._full_batch(bucket)
        middle = bucket.start + max(bucket.rows - rows, 0) // 2
        return self._taken(bucket, self._sorted[middle : middle + rows])

    def costliest_batches(self) -> list[list[int]]:
        """Rows of the batches that take the most memory of all epochs: by audio, then by text.

        As many rows as a batch can have, with the longest recording and the longest
        transcript of their bucket among them; no batch of any epoch is padded to more
        seconds than the first, or to more characters than the last.
        """
        measures = [self._lengths, *([] if self._characters is None else [self._characters])]
        found = []
        for measure in measures:
            sizes = [
                self._full_batch(b) * float(measure[self._among(b)].max()) for b in self._buckets
            ]
            bucket = self._buckets[int(np.argmax(sizes))]
            among = self._among(bucket)
            # The measure's own first: a batch of one row has no other.
            worst = [among[int(np.argmax(one[among]))] for one in (measure, *measures)]
            rows = list(dict.fromkeys([*worst, *among[: self._full_batch(bucket)]]))
            found.append(self._taken(bucket, rows))
        return found[:1] if set(found[0]) == set(found[-1]) else found

    def _counted(self) -> np.ndarray:
        """What each row counts towards a budget of seconds, float32 [rows], above 0."""
        counted: np.ndarray = np.maximum(self._lengths, np.float32(_SHORTEST_SECONDS))
        if self._characters is not None and self._characters_a_second is not None:
            for some in blocks(len(counted)):  # of all rows at once it is 16 bytes each
                spoken = rounded_up(self._characters[some] / self._characters_a_second)
                np.maximum(counted[some], spoken, out=counted[some])
        return counted

    def _cut(
        self, counted: np.ndarray, batch_seconds: float | None, batch_size: int | None
    ) -> None:
        """Cut the rows into buckets.

        Args:
            counted: What each counts towards the budget, in their sorted order.
            batch_seconds: The budget.
            batch_size: Rows a batch has at most.
        """
        if batch_seconds is None and batch_size is None:
            raise ValueError("a batch plan needs batch_seconds or batch_size")
        if batch_seconds is not None and not batch_seconds > 0:
            raise ValueError("batch_seconds is above 0")
        if self.world_size < 1 or (batch_size is not None and batch_size < 1):
            raise ValueError("world_size and batch_size are at least 1")
        if self._turns * self._processes != self.world_size:
            raise ValueError("the ranks of a plan are a multiple of the processes")
        cumulative = None if self._repeats is None else np.cumsum(self._repeats)
        self._buckets = cut(
            counted,
            Places(len(self._sorted), cumulative, UNIT),
            batch_seconds=batch_seconds,
            batch_size=batch_size,
            world_size=self.world_size,
        )
        self._longest = [float(counted[bucket.start]) for bucket in self._buckets]
        steps = np.asarray([bucket.steps for bucket in self._buckets])
        self._first_step = np.concatenate([[0], np.cumsum(steps)])
        self.batches_per_epoch = int(self._first_step[-1]) * self._turns
        rows = len(self._sorted) if cumulative is None else int(cumulative[-1]) / UNIT
        self.rows_per_epoch = float(rows)
        self._counted_seconds: dict[int, tuple[float, float]] = {}
        self._hold(-1)

    def _hold(self, epoch: int) -> None:
        """Hold the order of one epoch (-1: of none); what is held only saves time."""
        count = int(self._first_step[-1]) if epoch >= 0 else 0
        # A permutation is the same in any type; this one is 4 bytes a step.
        steps = np.arange(count, dtype=np.uint32 if count < 2**32 else np.int64)
        self._order = np.random.default_rng([self._seed, max(epoch, 0)]).permutation(steps)
        self._permuted = {}
        self._epoch = epoch

    def _place(self, epoch: int, index: int, rank: int) -> tuple[Bucket, int, int, int]:
        """A batch's bucket, its number, and where in the bucket's order it begins and ends."""
        if not 0 <= index < self.batches_per_epoch or not 0 <= rank < self._processes:
            raise IndexError(f"batch {index} of rank {rank}")
        index, turn = divmod(index, self._turns)
        rank += turn * self._processes
        if epoch != self._epoch:
            self._hold(epoch)
        step = int(self._order[index])
        number = int(np.searchsorted(self._first_step, step, side="right")) - 1
        bucket = self._buckets[number]
        rows, _ = self._held(epoch, number)
        place = (step - int(self._first_step[number])) * self.world_size + rank
        batches = bucket.steps * self.world_size
        return bucket, number, place * len(rows) // batches, (place + 1) * len(rows) // batches

    def _among(self, bucket: Bucket) -> np.ndarray:
        return self._sorted[bucket.start : bucket.start + bucket.rows]

    def _filler(self, bucket: Bucket) -> int:
        return int(self._sorted[bucket.start + bucket.rows - 1])  # the shortest

    def _held(self, epoch: int, number: int) -> Ordered:
        if number not in self._permuted:
            self._permuted[number] = self._ordered(epoch, number)
        return self._permuted[number]

    def _ordered(self, epoch: int, number: int) -> Ordered:
        """The rows of a bucket in the order of their batches."""
        bucket = self._buckets[number]
        rows = self._among(bucket)
        generator = np.random.default_rng([self._seed, epoch, number])
        if self._repeats is not None:
            repeats = self._repeats[bucket.start : bucket.start + bucket.rows]
            counts = sampled_counts(repeats, seed=self._seed + number, epoch=epoch)
            if counts.max() > 1:
                positions, copies = _spread(counts, generator)
                return rows[positions], copies
            rows = rows[counts > 0]
        if bucket.drift is None:
            return generator.permutation(rows), None
        drifted = np.arange(len(rows)) + bucket.drift * generator.random(len(rows))
        return rows[np.argsort(drifted)], None

    def _seconds(self, epoch: int) -> tuple[float, float]:
        """Padded seconds of an epoch's batches, and what of them is audio."""
        if epoch not in self._counted_seconds:
            pairs = [self._seconds_of(epoch, number) for number in range(len(self._buckets))]
            padded, real = (sum(column) for column in zip(*pairs, strict=True))
            self._counted_seconds = {epoch: (padded, real)}
        return self._counted_seconds[epoch]

    def _seconds_of(self, epoch: int, number: int) -> tuple[float, float]:
        """Padded seconds of a bucket's batches, and what of them is audio."""
        bucket = self._buckets[number]
        lengths = self._lengths[self._ordered(epoch, number)[0]]
        batches = bucket.steps * self.world_size
        bounds = np.arange(batches + 1) * len(lengths) // batches
        edges = bounds[:-1][np.diff(bounds) > 0]  # ascending: no two are equal
        sizes = np.diff(np.append(edges, len(lengths)))
        fillers = (batches - len(edges)) * float(self._lengths[self._filler(bucket)])
        longest = np.maximum.reduceat(lengths, edges) if len(edges) else edges
        return float((longest * sizes).sum()) + fillers, float(lengths.sum(dtype=np.float64))

    def _full_batch(self, bucket: Bucket) -> int:
        """Rows of the largest batch that the bucket has in any epoch."""
        if self._repeats is None:
            places = bucket.rows
        else:
            repeats = self._repeats[bucket.start : bucket.start + bucket.rows]
            places = -(-int(repeats.sum()) // UNIT)
        return max(-(-places // (bucket.steps * self.world_size)), 1)

    def _taken(self, bucket: Bucket, rows: Sequence[int] | np.ndarray) -> list[int]:
        """As many rows as a batch has: where there are fewer of them, repeated."""
        return [int(row) for row in np.resize(rows, self._full_batch(bucket))]


def sampled_counts(repeats: np.ndarray, *, seed: int, epoch: int) -> np.ndarray:
    """How often each row comes in an epoch, int64 [rows]: systematic sampling.

    A comb of teeth one place apart lies over the rows, each as wide as its repeats; a row
    comes once for each tooth on it, that is its repeats rounded down or up, and all of them
    together as often as they add up to, rounded down or up. The comb is shifted every epoch.

    Args:
        repeats: In units of 2**-32, int64 [rows].
        seed: Shifts the comb of all epochs.
        epoch: The epoch.
    """
    shift = (int(np.random.default_rng([seed, 1]).integers(UNIT)) + epoch * _GOLDEN) % UNIT
    teeth = (np.cumsum(repeats) + shift) >> 32
    return np.diff(teeth, prepend=0)


def _spread(counts: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Positions of rows that come ``counts`` times, mixed, and which copy of its row each is.

    The copies of a row are far apart: they meet in no batch where they can do otherwise.
    """
    copies = np.repeat(counts, counts)
    number = np.arange(len(copies)) - np.repeat(np.cumsum(counts) - counts, counts)
    order = np.argsort((number + generator.random(len(copies))) / copies)
    return np.repeat(np.arange(len(counts)), counts)[order], number[order]
