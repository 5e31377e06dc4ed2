"""The posteriors of a CTC model for a recording of any length, window by window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mynah.models.features.frontends import frame_samples
from mynah.segmentation.aligning.alignment import FrameScores
from mynah.segmentation.recording import Recording

if TYPE_CHECKING:
    from mynah.models.ctc.family import CTC

_SILENCE_DECIBELS = -100.0


@dataclass(frozen=True)
class PosteriorWindows:
    """How a recording is given to the model.

    A model takes at most what it was trained on, and memory is finite: so it takes windows
    that overlap, and of each only the frames that have enough context on both sides count.

    Attributes:
        seconds: What counts of a window.
        context_seconds: What is encoded before and after it besides.
        batch: Windows encoded at once.
    """

    seconds: float = 16.0
    context_seconds: float = 2.0
    batch: int = 2


@dataclass(frozen=True)
class FrameStretch:
    """A stretch of a recording as the model recognizes it.

    Attributes:
        scores: The log posteriors of its frames.
        passed_over: bool [frames]: whether, between two words, something is said there that
            is neither silence nor space.
        levels: float32 [frames]: loudness in decibels of full scale.
        start_seconds: Where in the recording the first frame begins.
        frame_seconds: How long a frame is.
    """

    scores: FrameScores
    passed_over: np.ndarray
    levels: np.ndarray
    start_seconds: float
    frame_seconds: float


def listen(
    recording: Recording,
    family: CTC,
    labels: Sequence[int],
    *,
    separators: frozenset[int],
    star_cost: float,
    windows: PosteriorWindows,
    start_seconds: float = 0.0,
    end_seconds: float | None = None,
    advance: Callable[[float], None] | None = None,
) -> FrameStretch:
    """Let the model encode a recording.

    Args:
        recording: The recording.
        family: The model.
        labels: The labels whose posteriors are kept, as the columns of the scores.
        separators: Labels that stand for the space between words.
        star_cost: What it costs, in nats a frame, to pass over something between two words.
        windows: How it is cut up for the model.
        start_seconds: Where to begin.
        end_seconds: Where to end; None: at its end.
        advance: Called with the seconds encoded, as they are.

    Raises:
        ValueError, OSError: The recording cannot be decoded.
    """
    stride, rate = frame_samples(family.frontend), family.sample_rate
    end_seconds = min(end_seconds or np.inf, recording.duration_seconds)
    first = round(start_seconds * rate)
    total = max(1, int((end_seconds - start_seconds) * rate) // stride)
    count = max(1, round(total * stride / rate / windows.seconds))
    size = -(-total // count)
    context = -(-round(windows.context_seconds * rate) // stride)
    kept: list[tuple[np.ndarray, ...]] = []
    starts = range(0, total, size)
    for begin in range(0, len(starts), windows.batch):
        # In frames: a window's own begin and end, and those with its context.
        spans = [
            (at, min(total, at + size), max(0, at - context), min(total, at + size + context))
            for at in starts[begin : begin + windows.batch]
        ]
        audios = [
            recording.read(first + origin * stride, first + (until + 1) * stride, rate)
            for _, _, origin, until in spans
        ]
        for (start, end, origin, _), audio, found in zip(
            spans, audios, family.log_posteriors(audios), strict=True
        ):
            part = found[start - origin : end - origin]
            loudness = _levels(audio, stride, start - origin, start - origin + len(part))
            kept.append((*_columns(part, labels, separators, family.blank, star_cost), loudness))
            if advance:
                advance((end - start) * stride / rate)
    columns, blank, between, passed_over, levels = map(np.concatenate, zip(*kept, strict=True))
    scores = FrameScores(columns, blank, between)
    return FrameStretch(scores, passed_over, levels, first / rate, stride / rate)


def _columns(
    posteriors: np.ndarray,
    labels: Sequence[int],
    separators: frozenset[int],
    blank: int,
    star_cost: float,
) -> tuple[np.ndarray, ...]:
    """Of float32 [frames, all labels], what the alignment needs."""
    nothing = posteriors[:, [blank, *sorted(separators)]].max(axis=1)
    something = np.delete(posteriors, blank, axis=1).max(axis=1) - np.float32(star_cost)
    return (
        posteriors[:, list(labels)],
        posteriors[:, blank].copy(),
        np.maximum(nothing, something),
        something > nothing,
    )


def _levels(audio: np.ndarray, stride: int, first: int, last: int) -> np.ndarray:
    """Loudness of the frames ``first`` to ``last`` of a clip, float32 decibels."""
    padded = np.zeros(last * stride, dtype=np.float32)
    there = audio[: last * stride]
    padded[: len(there)] = there
    power = np.square(padded[first * stride :].reshape(-1, stride)).mean(axis=1)
    decibels = np.maximum(10 * np.log10(power + 1e-12), _SILENCE_DECIBELS)
    levels: np.ndarray = decibels.astype(np.float32)
    return levels
