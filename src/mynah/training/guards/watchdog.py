"""A loader that is stuck, on a dead disk or a pipe nobody writes to, is said and not waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from mynah import console
from mynah.errors import UserError
from mynah.training.callbacks import duration
from mynah.training.guards.threads import beside

_LOOKS = 20  # at the clock until the limit
_NAMED = 5  # utterances named in a message


class Watchdog:
    """Watches how long a training waits for one batch.

    Args:
        seconds: The longest wait; a tenth of it is said, after all of it the training fails.
        fail: Called with the error, from a thread of its own.
    """

    def __init__(self, seconds: float, fail: Callable[[UserError], None]) -> None:
        self._seconds = seconds
        self._fail = fail
        self._since: float | None = None
        self._awaited: Callable[[], list[str]] = list
        self._reported = False
        self._over = threading.Event()

    def watching(self) -> AbstractContextManager[None]:
        """Watch for the block."""
        return beside(self._watch, self._over, name="watchdog")

    @contextmanager
    def waiting(self, awaited: Callable[[], list[str]]) -> Iterator[None]:
        """The training waits for a batch in the block.

        Args:
            awaited: Gives the utterances of the batch; called only where the wait is long.
        """
        self._awaited, self._reported, self._since = awaited, False, time.monotonic()
        try:
            yield
        finally:
            self._since = None

    def _watch(self) -> None:
        while not self._over.wait(self._seconds / _LOOKS):
            since = self._since
            if since is None:
                continue
            waited = time.monotonic() - since
            if waited >= self._seconds:
                self._fail(self._error(waited))
                return
            if waited >= self._seconds / 10 and not self._reported:
                self._reported = True
                console.notice(f"Waiting for data since {duration(waited)}: {self._named()}")

    def _named(self) -> str:
        ids = self._awaited()
        if not ids:
            return "the next batch"
        more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
        return f"a batch with {', '.join(ids[:_NAMED])}{more}"

    def _error(self, waited: float) -> UserError:
        return UserError(
            f"No batch came for {duration(waited)}: reading is stuck.",
            where=self._named(),
            fix="see whether the disk or network drive of these recordings answers, then resume "
            "with resume_from_checkpoint=last (training.loader_timeout_seconds is the longest "
            "wait)",
        )
