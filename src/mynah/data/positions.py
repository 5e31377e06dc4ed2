"""Where rows stand in a training, and what a training asks of the batches of a rank."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from typing import Any, Protocol, TypeVar

Key = TypeVar("Key")
# Epoch, row (its number in a table; of a stream the row itself), weight. A row that comes twice
# in an epoch is augmented as in two epochs.
Position = tuple[int, Key, float]

_COPY = 1 << 32  # what sets the epochs of a row's copies apart


def pass_of(epoch: int) -> int:
    """Which pass over the data the epoch of a position is in, whichever copy of its row it is."""
    return epoch % _COPY


class Epoch(Protocol):
    """How long an epoch is.

    Attributes:
        batches_per_epoch: Batches a rank has in an epoch, the same for every rank.
    """

    @property
    def batches_per_epoch(self) -> int: ...


class Batches(Epoch, Protocol[Key]):
    """The batches of one rank, of a table or of a stream.

    Attributes:
        passes: Which pass over a stream is being read, from 0; None where epochs are known.
    """

    @property
    def passes(self) -> int | None: ...

    def positions(self, epoch: int, first: int = 0) -> Generator[list[Position[Key]], None, None]:
        """The rows of each batch of an epoch, from batch ``first`` on.

        Raises:
            UserError: Of a stream: a shard cannot be read, or there is no usable row.
        """

    def expected(self, epoch: int, index: int) -> Sequence[Key]:
        """The rows of a batch as far as they are known before it is read: of a stream none."""

    def state(self, batches: int) -> dict[str, Any] | None:
        """What a checkpoint has to hold to resume after so many batches; None: nothing."""

    def restore(self, states: Sequence[dict[str, Any]]) -> None:
        """Resume from what :meth:`state` gave on each rank."""


class NumberedBatches(ABC):
    """:class:`Batches` of a table: which rows a batch has is arithmetic, and no state is kept.

    Attributes:
        batches_per_epoch: Batches a rank has, the same in every epoch and for every rank.
        passes: None: epochs are known.
        rank: Whose batches :meth:`positions` gives.
    """

    passes: int | None = None
    rank: int = 0

    batches_per_epoch: int

    @abstractmethod
    def batch(self, epoch: int, index: int, rank: int = 0) -> list[tuple[int, float]]:
        """(row, weight) pairs of one batch; the weight is 0.0 where a row only fills a place."""

    @abstractmethod
    def copies(self, epoch: int, index: int, rank: int = 0) -> list[int]:
        """Which copy of its row each place of a batch holds: 0, 1, … where a row is repeated."""

    def positions(self, epoch: int, first: int = 0) -> Generator[list[Position[int]], None, None]:
        """The rows of each batch of an epoch, from batch ``first`` on."""
        for index in range(first, self.batches_per_epoch):
            rows = self.batch(epoch, index, self.rank)
            copies = self.copies(epoch, index, self.rank)
            yield [
                (epoch + copy * _COPY, row, weight)
                for (row, weight), copy in zip(rows, copies, strict=True)
            ]

    def expected(self, epoch: int, index: int) -> list[int]:
        """The rows of a batch."""
        return [row for row, _ in self.batch(epoch, index, self.rank)]

    def state(self, batches: int) -> None:
        """Nothing: the place is arithmetic on the step."""
        return

    def restore(self, states: Sequence[dict[str, Any]]) -> None:
        """Nothing is to be restored."""
        return
