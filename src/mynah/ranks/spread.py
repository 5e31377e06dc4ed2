"""Work in pieces that need nothing of each other, given to other processes and machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

Piece = TypeVar("Piece")
Done = TypeVar("Done")


class Spread(Protocol):
    """Where pieces of work are done."""

    def each(
        self, work: Callable[[Piece], Done], pieces: Sequence[Piece]
    ) -> Iterator[tuple[int, Done]]:
        """What becomes of each piece, with its number, as it is done: in any order.

        Args:
            work: A function of a module; it may be called several times for a piece.
            pieces: Each can be pickled.

        Raises:
            UserError: What the work itself raises, or no process is left for it.
        """
