"""The pauses between aligned words: where nothing is said, and it is quiet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# A label stands for one frame of a sound that is longer: where loudness does not tell
# where a word ends, so much beside its last label is not cut.
_BESIDE_A_LABEL_SECONDS = 0.12
_QUIETER_DECIBELS = 12.0  # than the words on both sides
_EARLY_SECONDS = 0.5  # that a label may come before its sound
_NEIGHBOUR_SECONDS = 1.0  # of each side whose loudness is compared


@dataclass(frozen=True)
class Pause:
    """A stretch without speech, in frames; ``end`` is the frame after the last."""

    start: int
    end: int


@dataclass(frozen=True)
class PauseRule:
    """What counts as a pause.

    Attributes:
        least_seconds: Shorter ones are none.
        padding_seconds: How much of a pause stays with the utterance beside it, at most.
    """

    least_seconds: float = 0.2
    padding_seconds: float = 0.15


def pauses_between(
    start: int,
    end: int,
    *,
    silent: np.ndarray,
    levels: np.ndarray,
    frame_seconds: float,
    rule: PauseRule,
) -> list[Pause]:
    """The pauses between two words, in order.

    Args:
        start: The frame after the last label of the word before; 0: no word is before.
        end: The frame of the first label of the word after; the number of frames: none is.
        silent: bool [frames]: where the model finds no speech.
        levels: float32 [frames]: loudness in decibels.
        frame_seconds: How long a frame is.
        rule: What counts as a pause.
    """
    least = max(1, round(rule.least_seconds / frame_seconds))
    quiet_level = _speech_level(start, end, levels, frame_seconds) - _QUIETER_DECIBELS
    # A model may say a label before its sound begins.
    early = levels[end : end + round(_EARLY_SECONDS / frame_seconds)] < quiet_level
    inside = np.concatenate(
        [silent[start:end], np.ones(len(early) if early.all() else early.argmin(), dtype=bool)]
    )
    end = start + len(inside)
    quiet = inside & (levels[start:end] < quiet_level)
    found = _runs(quiet, least)
    if not found:
        margin = round(_BESIDE_A_LABEL_SECONDS / frame_seconds)
        for run in _runs(inside, 1):
            first = run.start + (margin if start or run.start else 0)
            last = run.end - (margin if start + run.end < len(levels) else 0)
            if last - first >= least:
                found.append(Pause(first, last))
    return [Pause(start + run.start, start + run.end) for run in found]


def _speech_level(start: int, end: int, levels: np.ndarray, frame_seconds: float) -> float:
    """Decibels of the softer of the two sides."""
    beside = max(1, round(_NEIGHBOUR_SECONDS / frame_seconds))
    sides = [levels[max(0, start - beside) : start], levels[end : end + beside]]
    loudness = [float(np.percentile(side, 80)) for side in sides if len(side)]
    return min(loudness, default=0.0)


def _runs(marked: np.ndarray, least: int) -> list[Pause]:
    """Runs of True of at least so many frames."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], marked.astype(np.int8), [0]])))
    return [
        Pause(int(first), int(last))
        for first, last in zip(edges[::2], edges[1::2], strict=True)
        if last - first >= least
    ]
