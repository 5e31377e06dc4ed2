"""Windows of a stream: so many rows in order, of which a rank then makes batches.

Which rows they are is arithmetic on (seed, epoch, shards, rank), so a place in the stream is
a few numbers: the epoch, the shard, and how many of its rows have been read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field

import numpy as np

from mynah.config.schema import DataConfig
from mynah.data.streams.reader import ShardReader
from mynah.data.streams.rows import LeftOut, StreamedUtterance, usable
from mynah.data.text import TextPolicy
from mynah.errors import UserError


@dataclass(frozen=True)
class Mark:
    """A place in a rank's stream.

    Attributes:
        epoch: Which pass.
        window: How many windows of this pass lie before it.
        shard: How many shards of this rank's order lie before it.
        row: How many rows of the shard lie before it, those of other ranks and those left
            out included.
    """

    epoch: int = 0
    window: int = 0
    shard: int = 0
    row: int = 0

    def as_dict(self) -> dict[str, int]:
        """For a checkpoint; ``Mark(**...)`` reads it."""
        return asdict(self)


@dataclass
class Window:
    """Some rows that are in memory together.

    Attributes:
        mark: Where it begins.
        seed: Of the order in it, a function of (seed, epoch, window, rank).
        rows: Its utterances.
        left_out: Rows that are not learned from, met on the way.
    """

    mark: Mark
    seed: int
    rows: list[StreamedUtterance] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


class Windows:
    """The windows of one rank.

    Args:
        reader: The shards.
        config: The settings of ``data``: ``shuffle_buffer`` rows make a window.
        policy: What becomes of transcripts.
        seed: Of the order.
        rank: Whose share.
        world_size: Ranks.
    """

    def __init__(
        self,
        reader: ShardReader,
        config: DataConfig,
        policy: TextPolicy,
        *,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self._reader = reader
        self._config = config
        self._policy = policy
        self._seed = seed
        self._rank = rank
        self._world_size = world_size

    def shard_order(self, epoch: int) -> list[int]:
        """This rank's shards in a pass; all of them where there are fewer than ranks."""
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._reader.shards))
        if self.deals_shards:
            order = order[self._rank :: self._world_size]
        return [int(shard) for shard in order]

    @property
    def deals_shards(self) -> bool:
        """Whether each rank reads shards of its own; else it takes its rows out of all."""
        return len(self._reader.shards) >= self._world_size

    def iterate(self, mark: Mark | None = None) -> Iterator[Window]:
        """Windows from a place on, pass after pass, without end.

        Raises:
            UserError: A shard cannot be read, or a full pass has no usable row.
        """
        mark = mark or Mark()
        while True:
            found = 0
            entire = mark == Mark(mark.epoch)
            for window in self._one_pass(mark):
                found += len(window.rows)
                yield window
            if entire and not found:
                raise self._empty(mark.epoch)
            mark = Mark(mark.epoch + 1)

    def _one_pass(self, mark: Mark) -> Iterator[Window]:
        """Windows of one pass; the last one is as large as what is left."""
        epoch, number = mark.epoch, mark.window
        order = self.shard_order(epoch)
        window = self._begin(mark)
        size = self._size(epoch, number)
        for place in range(mark.shard, len(order)):
            start = mark.row if place == mark.shard else 0
            with closing(self._reader.rows(order[place], start)) as rows:  # type: ignore[type-var]
                for position, row in enumerate(rows, start):
                    if not self.deals_shards and position % self._world_size != self._rank:
                        continue
                    made = usable(row, self._config, self._policy)
                    if isinstance(made, LeftOut):
                        window.left_out.append(made)
                    else:
                        window.rows.append(made)
                    # What is left out counts too: a run of bad rows must not fill the memory.
                    if len(window.rows) + len(window.left_out) >= size:
                        yield window
                        number += 1
                        window = self._begin(Mark(epoch, number, place, position + 1))
                        size = self._size(epoch, number)
        if window.rows or window.left_out:
            yield window

    def _begin(self, mark: Mark) -> Window:
        about = f"{self._seed} {mark.epoch} {mark.window} {self._rank}".encode()
        seed = int.from_bytes(hashlib.blake2b(about, digest_size=7).digest())
        return Window(mark, seed)

    def _size(self, epoch: int, number: int) -> int:
        """The first window of a pass is shorter by a draw, so that passes are cut elsewhere."""
        size = self._config.shuffle_buffer
        if number:
            return size
        draw = np.random.default_rng([self._seed, epoch, self._rank]).integers(size // 2 + 1)
        return max(size - int(draw), 1)

    def _empty(self, epoch: int) -> UserError:
        of_rank = "" if self._world_size == 1 else f" for rank {self._rank}"
        return UserError(
            f"The stream has no row to learn from{of_rank}.",
            where=self._reader.name,
            fix="left_out.jsonl in the run's directory lists what was left out and why; "
            "a rank without rows wants more shards or fewer ranks",
        )
