"""A training that ends in time: before ``training.max_time``, or before its cluster job ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from mynah import console
from mynah.config.durations import parse_duration
from mynah.config.schema import TrainingConfig
from mynah.training.guards import slurm
from mynah.training.guards.threads import beside

MAX_TIME = "training.max_time"
_LONGEST_MARGIN_SECONDS = 60.0  # kept free beyond a step and a save
_MARGIN_SHARE = 0.05  # of a limit so short that the margin above would eat it
_LOOK_SECONDS = 5.0  # at most, from one look at the clock to the next


class TimeLimit:
    """Asks for a stop so early that the step in hand and a checkpoint still fit.

    Args:
        seconds: From now to the end.
        name: What set the limit, for messages.
        ask: Called once, from a thread of its own, with ``name``.
    """

    def __init__(self, seconds: float, name: str, ask: Callable[[str], None]) -> None:
        self.name = name
        self._ask = ask
        self._end = time.monotonic() + seconds
        self._margin = min(_LONGEST_MARGIN_SECONDS, _MARGIN_SHARE * seconds)
        self._longest_step = 0.0
        self._longest_save = 0.0
        self._over = threading.Event()

    def took(self, *, step_seconds: float = 0.0, save_seconds: float = 0.0) -> None:
        """Take note of how long a step or a save took."""
        self._longest_step = max(self._longest_step, step_seconds)
        self._longest_save = max(self._longest_save, save_seconds)

    @property
    def seconds_left(self) -> float:
        """Until the stop is asked for."""
        reserve = 2 * self._longest_step + 1.5 * self._longest_save + self._margin
        return self._end - reserve - time.monotonic()

    def watched(self) -> AbstractContextManager[None]:
        """Watch the clock for the block."""
        return beside(self._watch, self._over, name="time-limit")

    def _watch(self) -> None:
        # Steps and saves grow longer in between: the reserve is looked at again and again.
        while (left := self.seconds_left) > 0:
            if self._over.wait(min(left, _LOOK_SECONDS)):
                return
        if not self._over.is_set():
            self._ask(self.name)


def time_limit(
    training: TrainingConfig, *, elapsed_seconds: float, ask: Callable[[str], None]
) -> TimeLimit | None:
    """The limit that applies: ``training.max_time``, or the end of this SLURM job; or None.

    Args:
        training: The settings.
        elapsed_seconds: What of ``max_time`` is spent already.
        ask: See :class:`TimeLimit`.
    """
    job = slurm.seconds_left()
    if training.max_time is not None:
        own = max(parse_duration(training.max_time) - elapsed_seconds, 0.0)
        if job is None or own <= job:
            return TimeLimit(own, MAX_TIME, ask)
    if job is None:
        return None
    console.say(f"This SLURM job ends in {job / 3600:.1f} h; the training stops in time before.")
    return TimeLimit(job, slurm.TIME_LIMIT, ask)
