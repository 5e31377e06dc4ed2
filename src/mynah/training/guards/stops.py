"""Stopping in good order: signals, a time limit, a warning of the cluster.

Once: at the end of the step, with a checkpoint. Twice: at once.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from mynah import console, distributed
from mynah.errors import UserError
from mynah.stopping.callbacks import is_called_by_c, send_again
from mynah.stopping.polling import polled
from mynah.stopping.signals import WARNING, is_impatience, taken


class EvaluationStopped(BaseException):
    """Raised inside an evaluation by the first signal: a step is short, an evaluation is not.

    Not an ``Exception``: an evaluation takes those for clips that cannot be decoded.
    """


class Failed(BaseException):
    """Raised in the main thread for another one; no reader may take it for a broken file."""

    def __init__(self, problem: UserError) -> None:
        super().__init__(problem)
        self.problem = problem


class StopRequest:
    """Whether somebody or something asked this training to stop.

    Attributes:
        requested: Set by the first request.
        reason: What asked: a signal's name, or the setting of a limit.
    """

    def __init__(self) -> None:
        self.requested = False
        self.reason: str | None = None
        self._evaluating = False
        self._listening = False
        self._limit_reached: str | None = None
        self._problem: UserError | None = None
        self._first = 0.0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take over the signals for the block; elsewhere than in the main thread, not."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before: dict[int, Any] = {number: signal.signal(number, self._handle) for number in taken()}
        self._listening = True
        try:
            yield
        finally:
            self._listening = False
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Within the block the first request raises :class:`EvaluationStopped`.

        Of several processes none may leave the others alone in what they exchange: there
        it is raised only where the evaluation looks for it, between batches and between tokens.
        """
        self._evaluating = distributed.world_size() == 1
        try:
            if self._evaluating:
                self._leave_evaluation()
            with polled(self._leave_evaluation):
                yield
        finally:
            self._evaluating = False

    def _leave_evaluation(self) -> None:
        if self.requested:
            raise EvaluationStopped

    def limit_reached(self, name: str) -> None:
        """Ask for the stop from another thread; a running evaluation is left too.

        Args:
            name: The limit, as ``training.max_time``.
        """
        self._limit_reached = name
        if self._listening and WARNING is not None:
            os.kill(os.getpid(), WARNING)  # only a signal gets the main thread out of a decoding
        else:
            self._request(name)

    def fail(self, problem: UserError) -> None:
        """Raise :class:`Failed` in the main thread, whatever it is waiting for."""
        if self._listening and WARNING is not None:
            self._problem = problem
            os.kill(os.getpid(), WARNING)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if is_called_by_c(frame):
            send_again(number)
            return
        name = signal.Signals(number).name
        if number == WARNING and self._problem is not None:
            raise Failed(self._problem)
        if self.requested:
            # What follows a warning comes of itself.
            follows = number == signal.SIGTERM and self.reason not in ("SIGINT", "SIGTERM")
            if follows or not is_impatience(number, self._first):
                return
            raise KeyboardInterrupt
        self._request(self._limit_reached or name if number == WARNING else name)
        if self._evaluating:
            raise EvaluationStopped

    def _request(self, reason: str) -> None:
        self.requested = True
        self.reason = reason
        self._first = time.monotonic()
        again = "; once more to stop at once" if reason in ("SIGINT", "SIGTERM") else ""
        console.notice(f"{reason}: saving a checkpoint and stopping{again}.")
