"""How the processes of a training find each other: said while it lasts, and not for ever."""

from __future__ import annotations

import os
import socket
import sys
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from mynah import console
from mynah.errors import UserError
from mynah.ranks.environment import Ranks

if TYPE_CHECKING:
    from torch.distributed import Store  # type: ignore[attr-defined]

SETTING = "training.ranks_timeout_seconds"
_SAID_SECONDS = 15.0  # of waiting, and then again each time
_LOOK_SECONDS = 0.1
_CONNECT_SECONDS = 2.0


def meet(ranks: Ranks, seconds: float) -> Store:
    """Wait until all processes are there.

    The first answers each of the others by its own token, so that none takes another training's
    first process for its own.

    Args:
        ranks: Who this is, and where they meet.
        seconds: The longest wait.

    Returns:
        What they all can read and write.

    Raises:
        UserError: Somebody does not come, or comes twice; the port is in use; or there is
            nothing at the place.
    """
    from torch.distributed import PrefixStore  # type: ignore[attr-defined]

    wait = _Wait(ranks, seconds)
    store = PrefixStore(f"mynah/{ranks.restart}", _open(ranks, wait))
    token = uuid.uuid4().hex
    if store.add(f"count/{ranks.rank}", 1) > 1:
        raise UserError(
            f"Two processes have RANK={ranks.rank}.",
            where=f"processes at {ranks.place}",
            fix="give every process a rank of its own, and every training a port of its own "
            "(MASTER_PORT)",
        )
    store.set(f"hello/{ranks.rank}", f"{token} {ranks.size}")
    if ranks.rank == 0:
        _welcome(ranks, store, wait)
    else:
        answered = f"welcome/{ranks.rank}"
        wait.until(
            lambda: store.check([answered]) and store.get(answered).decode() == token,
            lambda: f"rank 0 at {ranks.place}",
        )
    return store


def _welcome(ranks: Ranks, store: Store, wait: _Wait) -> None:
    """Wait for the others, as the first."""
    missing = list(range(1, ranks.size))

    def all_there() -> bool:
        for rank in [rank for rank in missing if store.check([f"hello/{rank}"])]:
            token, _, size = store.get(f"hello/{rank}").decode().partition(" ")
            if int(size) != ranks.size:
                raise UserError(
                    f"WORLD_SIZE is {ranks.size} on rank 0 and {size} on rank {rank}.",
                    where=f"processes at {ranks.place}",
                    fix="start all processes with the same WORLD_SIZE",
                )
            store.set(f"welcome/{rank}", token)
            missing.remove(rank)
        return not missing

    def awaited() -> str:
        listed = ", ".join(map(str, missing[:8])) + (", …" if len(missing) > 8 else "")
        return f"{len(missing)} of {ranks.size} processes at {ranks.place} (rank {listed})"

    wait.until(all_there, awaited)


def connection(ranks: Ranks, seconds: float) -> Store:
    """A connection of its own to what the processes share; one is held by whoever waits on it.

    Raises:
        RuntimeError: Nobody is there.
    """
    from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

    store = TCPStore(
        ranks.host,
        ranks.port,
        ranks.size,
        is_master=False,
        timeout=timedelta(seconds=seconds),
        wait_for_workers=False,
    )
    return PrefixStore(f"mynah/{ranks.restart}", store)


def _open(ranks: Ranks, wait: _Wait) -> Store:
    """The store of the first process, or of the launcher."""
    from torch.distributed import DistError, TCPStore  # type: ignore[attr-defined]

    first = ranks.rank == 0 and not ranks.hosted
    if not first:
        wait.until(lambda: _answers(ranks, wait), lambda: f"rank 0 at {ranks.place}")
    try:
        return TCPStore(
            ranks.host,
            ranks.port,
            ranks.size,
            is_master=first,
            timeout=timedelta(seconds=max(wait.left, 1.0)),
            wait_for_workers=False,
        )
    except (DistError, RuntimeError) as problem:
        if first and "EADDRINUSE" in str(problem):
            raise UserError(
                f"Port {ranks.port} of this machine is in use.",
                where=f"MASTER_PORT={ranks.port}",
                fix="end what uses it (an earlier training?), or start all processes with "
                "another MASTER_PORT",
            ) from problem
        raise UserError(
            f"Rank {ranks.rank} of {ranks.size} finds no training at {ranks.place}: "
            f"{str(problem).splitlines()[0][:160]}",
            where=f"MASTER_ADDR={ranks.host} MASTER_PORT={ranks.port}",
            fix="MASTER_ADDR is the host of rank 0, MASTER_PORT a free port there",
        ) from problem


def _answers(ranks: Ranks, wait: _Wait) -> bool:
    """Whether somebody listens where they are to meet."""
    try:
        with socket.create_connection((ranks.host, ranks.port), timeout=_CONNECT_SECONDS):
            return True
    except OSError as problem:
        wait.reason = problem.strerror or str(problem)
        return False


class _Wait:
    """A wait that says what it waits for, and ends.

    Attributes:
        reason: What was in the way at the last look; empty where nothing was.
    """

    def __init__(self, ranks: Ranks, seconds: float) -> None:
        self._ranks = ranks
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self.reason = ""

    @property
    def left(self) -> float:
        """Seconds until the end."""
        return self._end - time.monotonic()

    def until(self, condition: Callable[[], bool], awaited: Callable[[], str]) -> None:
        """Look again and again.

        Raises:
            UserError: The time is over.
        """
        said = time.monotonic()
        while not condition():
            if self.left <= 0:
                raise self._over(awaited())
            if time.monotonic() - said >= _SAID_SECONDS:
                said = time.monotonic()
                why = f": {self.reason}" if self.reason else ""
                self._say(f"waiting for {awaited()}{why}; {self.left:.0f} s are left ({SETTING})")
            time.sleep(_LOOK_SECONDS)

    def _say(self, text: str) -> None:
        if self._ranks.rank == 0:
            console.notice(text)
        else:  # which has no screen of its own: nobody else may be there to say it
            print(f"note: rank {self._ranks.rank}: {text}", file=sys.stderr, flush=True)

    def _over(self, awaited: str) -> UserError:
        ranks = self._ranks
        why = f" ({self.reason})" if self.reason else ""
        error = UserError(
            f"Waited {self._seconds:.0f} s for {awaited}{why}.",
            where=f"MASTER_ADDR={ranks.host} MASTER_PORT={ranks.port} RANK={ranks.rank} "
            f"WORLD_SIZE={ranks.size} on {socket.gethostname()}, process {os.getpid()}",
            fix="start every process, with the host of rank 0 as MASTER_ADDR and the same free "
            f"MASTER_PORT; {SETTING} is the longest wait",
        )
        error.rank = ranks.rank
        return error
