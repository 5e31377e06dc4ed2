"""Stopping on SIGINT and SIGTERM: once at the end of the step, with a checkpoint; twice at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from mynah import console


class EvaluationStopped(Exception):  # noqa: N818 - it is no error
    """Raised inside an evaluation by the first signal: a step is short, an evaluation is not."""


class StopRequest:
    """Whether somebody asked this training to stop.

    Attributes:
        requested: Set by the first signal.
    """

    def __init__(self) -> None:
        self.requested = False
        self._evaluating = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take over SIGINT and SIGTERM for the block; elsewhere than in the main thread, not."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before: dict[int, Any] = {
            number: signal.signal(number, self._handle)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Within the block the first signal raises :class:`EvaluationStopped`."""
        self._evaluating = True
        try:
            yield
        finally:
            self._evaluating = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        name = signal.Signals(number).name
        console.notice(f"{name}: saving a checkpoint and stopping; once more to stop at once.")
        if self._evaluating:
            raise EvaluationStopped
