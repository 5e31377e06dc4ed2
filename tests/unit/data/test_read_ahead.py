"""Items that a thread reads while what came before is used."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from mynah.data.read_ahead import ReadAhead


class Counting:
    """Numbers from 0, which knows how many were taken."""

    def __init__(self, end: int, problem: Exception | None = None) -> None:
        self.taken = 0
        self._end = end
        self._problem = problem

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        if self.taken == self._end:
            raise self._problem or StopIteration
        self.taken += 1
        return self.taken - 1


def settled(items: Counting) -> int:
    """How many were taken once no more are."""
    taken = -1
    while taken != items.taken:
        taken = items.taken
        time.sleep(0.05)
    return taken


@pytest.mark.parametrize("held", [1, 2, 5])
@pytest.mark.parametrize("count", [None, 0, 3, 20])
def test_every_item_comes_once_and_in_order(held, count):
    with ReadAhead(Counting(20), held=held, count=count, name="test") as ahead:
        assert list(ahead) == list(range(20))
        assert list(ahead) == []  # and the end is the end whoever asks again


def test_no_more_are_in_memory_than_was_said():
    items = Counting(20)
    with ReadAhead(items, held=2, name="test") as ahead:
        assert settled(items) == 2
        assert next(ahead) == 0
        assert settled(items) == 2  # one is being used, one is ready
        assert next(ahead) == 1
        assert settled(items) == 3
        ahead.read_on()
        assert settled(items) == 4
        ahead.read_on()  # said twice of the same item, it counts once
        assert settled(items) == 4


def test_the_thread_takes_nothing_behind_its_count():
    items = Counting(20)
    with ReadAhead(items, held=5, count=3, name="test") as ahead:
        assert settled(items) == 3
        assert [next(ahead) for _ in range(3)] == [0, 1, 2]
        assert settled(items) == 3
        assert next(ahead) == 3  # asked for all the same


def test_an_error_comes_where_its_item_would_have_come():
    with ReadAhead(Counting(2, OSError("the disk is gone")), held=5, name="test") as ahead:
        assert [next(ahead), next(ahead)] == [0, 1]
        for _ in range(2):
            with pytest.raises(OSError, match="the disk is gone"):
                next(ahead)


def test_a_closed_one_leaves_no_thread_though_items_are_unread():
    before = threading.active_count()
    with ReadAhead(Counting(20), held=3, name="test") as ahead:
        next(ahead)
    assert threading.active_count() == before
    assert list(ahead) == [1, 2]  # what was read already, and then the end


def test_a_read_that_never_ends_is_not_waited_for():
    dead_disk = threading.Event()

    def stuck() -> Iterator[int]:
        dead_disk.wait()
        yield 0

    started = time.monotonic()
    ReadAhead(stuck(), held=1, name="test").close()
    passed = time.monotonic() - started
    dead_disk.set()
    assert passed < 30  # it would have been without end
