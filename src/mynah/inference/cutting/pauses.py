"""Runs of speech and the pauses between them, in frames."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np


class Pauses:
    """How long the pauses of a recording are, so far.

    Args:
        clear: Frames of the shortest pause that may be cut at everywhere.
        sure: Frames of a pause that is always cut at.
        around: Frames of a pause that stay where it is cut, on both sides together.
    """

    def __init__(self, *, clear: int, sure: int, around: int) -> None:
        self._clear, self._sure, self._around = clear, sure, around
        self._speech = 0  # frames
        self._counts = np.zeros(sure + 1, dtype=np.int64)  # of pauses by frames, the last: or more

    def leave(self, speech: np.ndarray, frames: int) -> None:
        """Count the first frames of speech, bool [frames], with the pause before the next."""
        runs = runs_of(speech, self._clear)
        gone = [run for run in runs if run[1] <= frames]
        counts, said = self._counted(runs[: len(gone) + 1], last=False)
        self._counts += counts
        self._speech += said

    def to_cut_at(self, runs: Sequence[tuple[int, int]], average: int) -> int:
        """The longest pause, in frames, by which pieces have at most so many frames on average.

        Args:
            runs: The speech that follows on what was counted.
            average: Frames.
        """
        counts, speech = self._counted(runs, last=True)
        counts, speech = counts + self._counts, speech + self._speech
        pieces = 1
        frames = speech + int(counts @ np.arange(len(counts)))
        for pause in range(self._sure, self._clear - 1, -1):
            pieces += int(counts[pause])
            frames -= int(counts[pause]) * max(0, pause - self._around)
            if frames <= average * pieces:
                return pause
        return self._clear

    def _counted(self, runs: Sequence[tuple[int, int]], *, last: bool) -> tuple[np.ndarray, int]:
        """Pauses between runs by their frames, and frames of speech; ``last``: of the last too."""
        pauses = [min(self._sure, b[0] - a[1]) for a, b in itertools.pairwise(runs)]
        counts = np.bincount(pauses, minlength=self._sure + 1).astype(np.int64)
        said = runs if last else runs[:-1]
        return counts, sum(end - start for start, end in said)


def runs_of(speech: np.ndarray, least_pause: int) -> list[tuple[int, int]]:
    """Runs of speech as (first frame, frame after the last); shorter pauses are within a run."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], speech.astype(np.int8), [0]])))
    return [
        (run[0][0], run[-1][1])
        for run in parted(
            list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)), least_pause
        )
    ]


def parted(runs: Sequence[tuple[int, int]], pause: int) -> list[list[tuple[int, int]]]:
    """Runs with no pause of so many frames between them, each group by itself."""
    groups: list[list[tuple[int, int]]] = []
    for run in runs:
        if groups and run[0] - groups[-1][-1][1] < pause:
            groups[-1].append(run)
        else:
            groups.append([run])
    return groups


def shortened(runs: Sequence[tuple[int, int]], longest: int) -> list[tuple[int, int]]:
    """Runs that follow on one another as one, or cut at their longest pauses where that is longer
    than so many frames."""
    done: list[tuple[int, int]] = []
    waiting = [list(runs)]
    while waiting:
        group = waiting.pop()
        if len(group) == 1 or group[-1][1] - group[0][0] <= longest:
            done.append((group[0][0], group[-1][1]))
            continue
        pauses = [after[0] - before[1] for before, after in itertools.pairwise(group)]
        cut = 1 + pauses.index(max(pauses))
        waiting += [group[cut:], group[:cut]]
    return done


def padded(runs: Sequence[tuple[int, int]], *, padding: int, frames: int) -> list[tuple[int, int]]:
    """Runs of speech with a part of the pauses beside them, of so many frames in all."""
    found: list[tuple[int, int]] = []
    for number, (start, end) in enumerate(runs):
        before = runs[number - 1][1] if number else -start
        after = runs[number + 1][0] if number + 1 < len(runs) else 2 * frames - end
        first = max(0, start - min(padding, max(0, start - before) // 2))
        last = min(frames, end + min(padding, max(0, after - end) // 2))
        found.append((first, last))
    return found
