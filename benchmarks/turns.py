"""Ways of doing the same, timed in turns: what keeps the machine busy keeps all of them waiting."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def in_turns(ways: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each way in each turn, every second turn in the opposite order."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats):
        for name in list(ways)[:: 1 if repeat % 2 else -1]:
            started = time.perf_counter()
            ways[name]()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def ratios(fast: list[float], slow: list[float]) -> tuple[float, float, float]:
    """How many times as fast the first is: the median of the turns, the least, the most."""
    found = [b / a for a, b in zip(fast, slow, strict=True)]
    return statistics.median(found), min(found), max(found)
