"""Other work on the machine: where it keeps cores busy, threads sleep while they wait.

OpenMP's threads spin while they wait for one another, for longer than the kernel lets one run. On
a core that somebody else needs that costs two thirds of a training's speed, and nine tenths of
one with small operations; asleep they lose nothing to a neighbour, and a third where there is none
(``benchmarks/neighbours.py``). How they wait is fixed when torch is loaded, and changes no sum, so
it is chosen once, by what the machine did while the command began. Where it did nothing else,
threads spin for some microseconds before they sleep: other work may still begin.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_STATISTICS = Path("/proc/stat")
_SET_BY_HAND = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
_SHORTEST_SECONDS = 0.1  # the kernel counts in hundredths
_BUSY_CORES = 0.5  # of other work that threads would stand in the way of
_SPINS = 1000  # before a thread sleeps: longer than most waits, shorter than a turn of others


@dataclass(frozen=True)
class Reading:
    """What the machine has done so far.

    Attributes:
        at: Seconds of a clock.
        busy_seconds: CPU seconds of everything on the machine, since it started.
        own_seconds: CPU seconds of this process, and of its children that have ended.
        cores: How many the machine has.
    """

    at: float
    busy_seconds: float
    own_seconds: float
    cores: int

    @classmethod
    def now(cls, statistics: Path = _STATISTICS) -> Reading | None:
        """The present one; None where the machine does not tell (it is not Linux)."""
        try:
            lines = statistics.read_text().splitlines()
            # proc_stat(5): user nice system idle iowait irq softirq steal
            user, nice, system, _, _, *interrupts = map(int, lines[0].split()[1:9])
            ticks = os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError, IndexError):
            return None
        cores = sum(line[:3] == "cpu" and line[3:4].isdecimal() for line in lines)
        own = os.times()
        return cls(
            time.monotonic(),
            (user + nice + system + sum(interrupts)) / ticks,
            own.user + own.system + own.children_user + own.children_system,
            cores,
        )


def others_busy(first: Reading, last: Reading) -> float:
    """How many cores others kept busy between two readings."""
    seconds = last.at - first.at
    if seconds < _SHORTEST_SECONDS:
        return 0.0
    others = (last.busy_seconds - first.busy_seconds) - (last.own_seconds - first.own_seconds)
    return max(0.0, others / seconds)


def in_the_way(busy: float, *, cores: int, threads: int) -> bool:
    """Whether so many threads would wait for cores that others keep busy."""
    return threads > 1 and busy >= _BUSY_CORES and threads + busy > cores


_first: Reading | None = None
_sleeping = False


def watch() -> None:
    """Take note of what the machine does from here on; called where a command begins."""
    global _first
    _first = Reading.now()


def sleep_where_busy() -> None:
    """Let the threads of torch sleep while they wait, where others keep their cores busy; where
    they do not, let them spin for as long as a short wait takes, and sleep after that.

    Nothing is done where the variables of OpenMP say how they wait, where torch is loaded already,
    or where nobody called :func:`watch`.
    """
    global _sleeping
    if _first is None or "torch" in sys.modules or any(name in os.environ for name in _SET_BY_HAND):
        return
    last = Reading.now()
    if last is None:
        return
    busy = others_busy(_first, last)
    if in_the_way(busy, cores=last.cores, threads=_threads(last.cores)):
        os.environ["OMP_WAIT_POLICY"] = "passive"
        _sleeping = True
    else:
        os.environ["GOMP_SPINCOUNT"] = str(_SPINS)  # GNU's alone, which torch has on Linux


def how_threads_wait() -> str:
    """What a summary adds to the device; nothing where they wait as OpenMP has them."""
    return ", which sleep while they wait (the machine has other work)" if _sleeping else ""


def _threads(cores: int) -> int:
    """As many as OpenMP begins with."""
    named = os.environ.get("OMP_NUM_THREADS", "")
    if named.isdecimal():
        return int(named)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
