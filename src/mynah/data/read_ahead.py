"""What comes next is read by a thread, while what came before is being used."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Generic, TypeVar

_T = TypeVar("_T")
_GOODBYE_SECONDS = 1.0  # for a read that is under way; one from a dead disk is not waited for


class ReadAhead(Generic[_T]):
    """An iterator whose items are taken from another one by a thread, in their order.

    An error of the other iterator is raised where its item would have come.

    Args:
        items: The other iterator; from now on the thread's alone.
        held: Items in memory at a time, one among them that is being used: until the next one
            is asked for, or :meth:`read_on` says that it does not count any more.
        count: Items that the thread takes; what comes behind them is taken when it is asked
            for. None: all.
        name: Of the thread.
    """

    def __init__(
        self, items: Iterator[_T], *, held: int, count: int | None = None, name: str
    ) -> None:
        self._items = items
        self._count = count
        self._taken = 0
        self._read: queue.SimpleQueue[tuple[_T | None, BaseException | None]] = queue.SimpleQueue()
        self._room = threading.Semaphore(held)
        self._used = False  # whether an item is being used, whose room the next one takes
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[_T]:
        return self

    def __next__(self) -> _T:
        if self._taken == self._count:
            return next(self._items)
        self.read_on()
        item, problem = self._read.get()
        if problem is not None:
            self._read.put((None, problem))  # for whoever asks again
            raise problem
        self._taken += 1
        self._used = True
        return item  # type: ignore[return-value]

    def read_on(self) -> None:
        """Let the thread read another item, as it is let when the next one is asked for.

        Where the cores are busy a thread that wakes up takes the place of the one that wakes
        it: who waits for an item gets it sooner if the thread is not woken before he has it.
        """
        if self._used:
            self._used = False
            self._room.release()

    def __enter__(self) -> ReadAhead[_T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the thread: nothing comes any more but what it has read already."""
        self._closed = True
        self._room.release()
        self._thread.join(_GOODBYE_SECONDS)
        self._read.put((None, StopIteration()))

    def _run(self) -> None:
        number = 0
        while self._count is None or number < self._count:
            self._room.acquire()
            if self._closed:
                return
            try:
                self._read.put((next(self._items), None))
            except BaseException as problem:  # the end, too: it is raised where it is asked for
                self._read.put((None, problem))
                return
            number += 1
