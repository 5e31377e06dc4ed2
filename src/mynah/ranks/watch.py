"""Whether the other processes still live: a thread of each says so, and looks at the others.

A collective of NCCL waits for a process that is gone until its own time-out, and any waits for one
that was stopped.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mynah import console
from mynah.errors import UserError
from mynah.machine import process_space
from mynah.ranks.environment import Ranks
from mynah.ranks.meeting import SETTING, connection

if TYPE_CHECKING:
    from torch.distributed import Store  # type: ignore[attr-defined]

_PULSE_SECONDS = 2.0
_SAID_SECONDS = 20.0  # of silence
_GRACE_SECONDS = 10.0  # for this process to notice by itself that another one has ended
_ANSWER_SECONDS = 10.0  # of the store
_GONE, _DONE = "gone ", "done"
_FAREWELLS = 15  # looks of a first process, each 0.2 s: more than a pulse of the others
_STATUS = 2  # exit status: not a mistake in Mynah


class Watch:
    """Says that this process lives, and looks whether the others do.

    Silence is counted in looks at the others, not in seconds: where a scheduler suspends all
    processes, none has been silent when they are back.

    Args:
        ranks: The processes.
        seconds: The longest silence; then this process ends.
        end: Ends this process, whatever its main thread waits for.
    """

    def __init__(
        self,
        ranks: Ranks,
        seconds: float,
        end: Callable[[UserError], None] | None = None,
    ) -> None:
        self._ranks = ranks
        self._seconds = seconds
        self._end = end or self._end_process
        self._others = [rank for rank in range(ranks.size) if rank != ranks.rank]
        self._seen = dict.fromkeys(self._others, "")
        self._silent = dict.fromkeys(self._others, 0.0)
        self._said: set[int] = set()
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._found: dict[int, str] = {}
        self._answers = 0
        self._refused = False
        self._count = 0

    def start(self, store: Store) -> None:
        """Begin; all processes are there.

        Args:
            store: What they share.
        """
        store.set(f"pulse/{self._ranks.rank}", self._pulse())
        # Two: whoever asks a first process that was stopped gets no answer, not even an error.
        for name, work in (("ranks", self._watch), ("pulse", self._exchange)):
            thread = threading.Thread(target=work, daemon=True, name=name)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Look no more: in torch's hands when the interpreter ends, a thread takes it along."""
        self._over.set()
        for thread in self._threads:
            thread.join(_ANSWER_SECONDS)

    def finish(self, reason: str | None = None) -> None:
        """Say that this process ends, and look no more.

        Args:
            reason: Why it ends early; None: its work is done.
        """
        self.stop()  # else it would write over what is said here
        first = reason.splitlines()[0] if reason else ""

        def say() -> None:
            store = connection(self._ranks, _ANSWER_SECONDS)
            store.set(f"pulse/{self._ranks.rank}", f"{_GONE}{first}" if reason else _DONE)
            # What they share ends with the first process: the others shall have seen how.
            for _ in range(_FAREWELLS if self._ranks.rank == 0 and not self._ranks.hosted else 0):
                values = self._values(store).values()
                if reason is None and all(value.startswith((_DONE, _GONE)) for value in values):
                    break
                time.sleep(0.2)

        _within(_ANSWER_SECONDS, say)

    def reasons(self) -> str:
        """What others have said of their end, as sentences; empty where nothing is known."""
        found: dict[int, str] = {}
        _within(
            _ANSWER_SECONDS,
            lambda: found.update(self._values(connection(self._ranks, _ANSWER_SECONDS))),
        )
        return " ".join(
            f"Rank {rank}: {value.removeprefix(_GONE)}"
            for rank, value in found.items()
            if value.startswith(_GONE) and value != _GONE
        )

    def _exchange(self) -> None:
        """Say again and again that this process lives, and read what the others have said."""
        store: Store | None = None
        while not self._over.is_set():
            try:
                store = store or connection(self._ranks, _ANSWER_SECONDS)
                store.set(f"pulse/{self._ranks.rank}", self._pulse())
                self._found = self._values(store)
                self._refused = False
            except RuntimeError as problem:
                store = None
                self._refused = "timeout" not in str(problem) and "timed out" not in str(problem)
            else:
                self._answers += 1
            self._over.wait(_PULSE_SECONDS)

    def _watch(self) -> None:
        answers = 0
        while not self._over.wait(_PULSE_SECONDS):
            answered, answers = self._answers != answers, self._answers
            found = dict(self._found)
            if self._refused and not self._ranks.hosted and self._seen[0] != _DONE:
                found[0] = _GONE
            for rank in self._others:
                value = found.get(rank, self._seen[rank])
                if value != self._seen[rank] and not value.startswith(_GONE):
                    self._seen[rank], self._silent[rank] = value, 0.0
                    self._said.discard(rank)
                elif value != _DONE and (answered or rank == 0 or self._ranks.hosted):
                    self._silent[rank] += _PULSE_SECONDS
                self._judge(rank, value)

    def _judge(self, rank: int, value: str) -> None:
        """Say that a process is silent; end where it has been for too long, or is gone."""
        if self._over.is_set() or value == _DONE:
            return
        silent = self._silent[rank]
        gone = value.startswith(_GONE) or _has_died(value)
        if gone and silent >= _GRACE_SECONDS:
            why = value.removeprefix(_GONE) if value.startswith(_GONE) else "it was killed"
            self._fail(f"Rank {rank} of this training ended{': ' + why if why else '.'}")
        elif silent >= self._seconds:
            self._fail(f"Rank {rank} of this training has not answered for {silent:.0f} s.")
        elif silent >= _SAID_SECONDS and rank not in self._said and not gone:
            self._said.add(rank)
            text = (
                f"rank {rank} does not answer since {silent:.0f} s (stopped, or its machine or "
                f"network is down?); after {self._seconds:.0f} s this training ends ({SETTING})"
            )
            if self._ranks.rank == 0:
                console.notice(text)
            else:
                with suppress(OSError):
                    print(f"note: rank {self._ranks.rank}: {text}", file=sys.stderr, flush=True)

    def _fail(self, what: str) -> None:
        self._over.set()
        error = UserError(
            f"{what} So this one ends too.",
            where=f"rank {self._ranks.rank} of {self._ranks.size}",
            fix="see why it ended or stopped, then resume with resume_from_checkpoint=last",
        )
        self._end(error)

    def _end_process(self, error: UserError) -> None:
        # The main thread waits in a library for the process that is gone: nothing gets it out.
        with suppress(OSError, ValueError):
            print(console.visible(f"error: {error}"), file=sys.stderr, flush=True)
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(_STATUS)

    def _pulse(self) -> str:
        self._count += 1
        return f"{self._count} {os.getpid()} {process_space()}"

    def _values(self, store: Store) -> dict[int, str]:
        keys = [f"pulse/{rank}" for rank in self._others]
        there = [key for key in keys if store.check([key])]
        found = store.multi_get(there) if there else []
        return {
            int(key.partition("/")[2]): value.decode()
            for key, value in zip(there, found, strict=True)
        }


def _within(seconds: float, action: Callable[[], None]) -> None:
    """Do what may never come back, or fail, and wait for it no longer than so."""

    def work() -> None:
        with suppress(RuntimeError):
            action()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)


def _has_died(pulse: str) -> bool:
    """Whether the process of a pulse, on this machine, is there no more."""
    _, _, rest = pulse.partition(" ")
    process, _, machine = rest.partition(" ")
    if not machine or machine != process_space():
        return False
    try:
        return ") Z " in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return True
