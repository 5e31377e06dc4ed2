"""Time within a training that is not spent training."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Pauses:
    """Evaluations and checkpoints, left out of what is said of a training's speed."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[float], None]] = []

    def report_to(self, listener: Callable[[float], None]) -> None:
        """Call ``listener`` with the seconds of every pause from now on."""
        self._listeners.append(listener)

    @contextmanager
    def pause(self) -> Iterator[None]:
        """What is done in the block is not training."""
        started = time.monotonic()
        try:
            yield
        finally:
            seconds = time.monotonic() - started
            for listener in self._listeners:
                listener(seconds)
