"""Whether a take is worth keeping: its length, its loudness, whether it is clipped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_FRAME_SECONDS = 0.02
_LOUD_SHARE = 0.9  # the level of speech is that of the loudest tenth of frames
_QUIET_DECIBELS = -40.0  # of full scale
_SILENT_DECIBELS = -60.0
_FULL_SCALE = 0.999
_CLIPPED_RUN = 3  # samples at full scale, one after the other: no voice has such a flat top
_LEAST_SECONDS = 0.3
_MOST_CHARACTERS_A_SECOND = 30.0  # nobody reads twice as fast as people speak


@dataclass(frozen=True)
class Levels:
    """What is measured of a take.

    Attributes:
        seconds: Its length.
        peak_decibels: Of its loudest sample, of full scale.
        speech_decibels: Of its loudest tenth of frames.
        clipped: Stretches that are cut off at full scale.
    """

    seconds: float
    peak_decibels: float
    speech_decibels: float
    clipped: int

    def problems(self, text: str) -> Iterator[str]:
        """What speaks against keeping it.

        Args:
            text: What should be said in it.
        """
        if self.seconds < _LEAST_SECONDS:
            yield "it is shorter than a word"
            return
        if self.speech_decibels < _SILENT_DECIBELS:
            yield "nothing is in it: is the microphone on?"
            return
        if self.clipped:
            yield f"it is clipped in {self.clipped} places: go further from the microphone"
        if self.speech_decibels < _QUIET_DECIBELS:
            yield "it is very quiet: go nearer to the microphone"
        if len(text) > _MOST_CHARACTERS_A_SECOND * self.seconds:
            yield "it is too short for the sentence"

    def __str__(self) -> str:
        return (
            f"{self.seconds:.1f} s, speech at {self.speech_decibels:.0f} dB, "
            f"peak {self.peak_decibels:.0f} dB"
        )


def measure_levels(audio: np.ndarray, rate: int) -> Levels:
    """Measure a take.

    Args:
        audio: float32 [samples] of full scale 1.
        rate: Hertz.
    """
    seconds = len(audio) / rate
    if not len(audio):
        return Levels(0.0, -np.inf, -np.inf, 0)
    size = max(1, round(_FRAME_SECONDS * rate))
    frames = np.resize(audio, max(size, len(audio) // size * size)).reshape(-1, size)
    power = np.square(frames, dtype=np.float64).mean(axis=1)
    loud = float(np.quantile(power, _LOUD_SHARE))
    return Levels(
        seconds,
        _decibels(float(np.square(audio, dtype=np.float64).max())),
        _decibels(loud),
        _clipped(audio),
    )


def _decibels(power: float) -> float:
    return 10 * float(np.log10(power)) if power > 0 else -np.inf


def _clipped(audio: np.ndarray) -> int:
    """Runs of samples at full scale."""
    full = np.concatenate([[False], np.abs(audio) >= _FULL_SCALE, [False]])
    edges = np.flatnonzero(np.diff(full.astype(np.int8)))
    return int((edges[1::2] - edges[::2] >= _CLIPPED_RUN).sum())
