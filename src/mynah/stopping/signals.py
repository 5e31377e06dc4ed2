"""Signals, from a command's first line on: each ends it in good order, whatever it is doing.

What a training does with them while its steps are done is :mod:`mynah.training.guards.stops`.
Nothing heavy is imported here.
"""

from __future__ import annotations

import os
import signal
import time
from types import FrameType

from mynah.stopping.callbacks import is_called_by_c, send_again

# SLURM's warning, as `sbatch --signal=USR1@120` asks for it; Windows has none.
WARNING: int | None = getattr(signal, "SIGUSR1", None)
HANGUP: int | None = getattr(signal, "SIGHUP", None)
SIGNALS: tuple[int, ...] = (
    signal.SIGINT,
    signal.SIGTERM,
    *((WARNING,) if WARNING else ()),
    *((HANGUP,) if HANGUP else ()),
)
# A launcher hands the signal on that the cluster, or the terminal, has sent to every process:
# two within this time are one.
_LAUNCHER_SECONDS = 3.0
_LAUNCHERS = ("TORCHELASTIC_RUN_ID", "SLURM_JOB_ID")


class Interrupted(KeyboardInterrupt):
    """A signal asked this process to end.

    Attributes:
        reason: The signal's name.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Handler:
    """Raises :class:`Interrupted` for the first signal, and again for one that is impatience."""

    holding: bool
    ended: bool
    held: Interrupted | None
    first: float | None

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.holding, self.held, self.first, self.ended = True, None, None, False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.ended and number != signal.SIGINT:
            return
        if is_called_by_c(frame):
            send_again(number)
            return
        stop = Interrupted(signal.Signals(number).name)
        if self.first is None:
            self.first = time.monotonic()
        elif self.held is None and not is_impatience(number, self.first):
            return
        if self.holding:
            self.held = self.held or stop
            return
        raise stop


_handler = _Handler()


def take_over() -> None:
    """Hold every signal back, so that none finds a command that cannot answer it yet.

    For its first line: what a command needs takes its time to import. What a parent has silenced,
    as ``nohup`` does with SIGHUP, stays silent.
    """
    _handler.begin()
    for number in taken():
        signal.signal(number, _handler)


def release() -> None:
    """Let each signal raise :class:`Interrupted` in the main thread from now on.

    Raises:
        Interrupted: One came since :func:`take_over`.
    """
    _handler.holding, _handler.ended = False, False
    if (held := _handler.held) is not None:
        _handler.held = None
        raise held


def end() -> None:
    """Let what SLURM sends to a job that it takes away disturb no process that is about to exit."""
    _handler.ended = True


def taken() -> list[int]:
    """The signals that are ours to answer."""
    return [n for n in SIGNALS if n != HANGUP or signal.getsignal(n) != signal.SIG_IGN]


def is_impatience(number: int, first: float) -> bool:
    """Whether a later signal asks to end at once.

    A warning never does, nor does a terminal that is closed, nor what a launcher has handed on.

    Args:
        number: The later signal.
        first: When the first one came, in seconds of the monotonic clock.
    """
    launched = any(name in os.environ for name in _LAUNCHERS)
    same_seconds = _LAUNCHER_SECONDS if launched else 0.0
    return number not in (WARNING, HANGUP) and time.monotonic() - first >= same_seconds
