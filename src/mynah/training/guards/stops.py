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

# A launcher hands the signal on that the cluster, or the terminal, has sent to every process:
# two within this time are one.
_LAUNCHER_SECONDS = 3.0
_LAUNCHERS = ("TORCHELASTIC_RUN_ID", "SLURM_JOB_ID")
# SLURM's warning, as `sbatch --signal=USR1@120` asks for it; Windows has none.
WARNING: int | None = getattr(signal, "SIGUSR1", None)
SIGNALS: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM, *((WARNING,) if WARNING else ()))


class EvaluationStopped(Exception):  # noqa: N818 - it is not an error
    """Raised inside an evaluation by the first signal: a step is short, an evaluation is not."""


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
        launched = any(name in os.environ for name in _LAUNCHERS)
        self._same_seconds = _LAUNCHER_SECONDS if launched else 0.0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take over the signals for the block; elsewhere than in the main thread, not."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before: dict[int, Any] = {number: signal.signal(number, self._handle) for number in SIGNALS}
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

        Of several processes none may leave the others alone in an evaluation: there it goes on
        to its end first.
        """
        self._evaluating = distributed.world_size() == 1
        try:
            if self.requested and self._evaluating:
                raise EvaluationStopped
            yield
        finally:
            self._evaluating = False

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
        name = signal.Signals(number).name
        if number == WARNING and self._problem is not None:
            raise Failed(self._problem)
        if self.requested:
            # A warning is not impatience, and what follows one comes of itself.
            warned = number == WARNING or (
                number == signal.SIGTERM and self.reason not in ("SIGINT", "SIGTERM")
            )
            if warned or time.monotonic() - self._first < self._same_seconds:
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
