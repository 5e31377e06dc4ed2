"""How much of a training is spent waiting for data."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from mynah import console

_TOO_MUCH = 0.1  # share of the time that is worth a word
_SURE_SECONDS = 30.0  # of training, before that word is said


class LoaderWait:
    """Measures the share of the training's time in which no batch was there.

    The first batch counts for nothing: nobody could have read it ahead.

    Args:
        workers: Data workers of this process, for advice.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._began: float | None = None
        self._waited = self._paused = 0.0
        self._logged = (0.0, 0.0)  # waited and passed at the last log line
        self._advised = False

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """What is done inside is waiting for a batch."""
        started = time.monotonic()
        yield
        now = time.monotonic()
        if self._began is None:
            self._began = now
        else:
            self._waited += now - started

    def add_pause(self, seconds: float) -> None:
        """Leave time spent on an evaluation or a checkpoint out."""
        self._paused += seconds

    @property
    def share(self) -> float:
        """Of the full training, 0 to 1."""
        passed = self._passed()
        return self._waited / passed if passed > 0 else 0.0

    def since_last(self) -> float:
        """The share since this was asked last."""
        waited, passed = self._waited, self._passed()
        before_waited, before_passed = self._logged
        self._logged = waited, passed
        return (waited - before_waited) / max(passed - before_passed, 1e-9)

    def advise(self) -> None:
        """Say once what can be done, where much of the time is waited."""
        if self._advised or self._passed() < _SURE_SECONDS or self.share <= _TOO_MUCH:
            return
        self._advised = True
        cores = os.cpu_count() or 1
        if self._workers < cores:
            what = f"training.dataloader_num_workers={min(max(2 * self._workers, 1), cores)}"
            advice = f"more processes can read ahead with {what}."
        else:
            advice = (
                "every core reads already. A faster disk, recordings in FLAC at the model's own "
                "rate, or fewer augmentations help."
            )
        console.notice(
            f"The training waits for data in {self.share:.0%} of its time, with "
            f"{self._workers} data worker(s): {advice}"
        )

    def _passed(self) -> float:
        if self._began is None:
            return 0.0
        return time.monotonic() - self._began - self._paused
