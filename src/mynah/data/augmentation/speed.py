"""Speed perturbation: tempo and pitch together, as a tape played faster or slower.

Ko et al. 2015, "Audio Augmentation for Speech Recognition".
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from mynah.data.audio.files import resample
from mynah.data.augmentation.change import Change, Samples, Setup

_FINEST = 1000  # parts of 1 that a factor is taken to


def change_speed(audio: np.ndarray, factor: float) -> np.ndarray:
    """float32 [samples] to float32 [round(samples / factor)]; pitches rise by ``factor``."""
    # Of whole numbers the resampler is exact in the length; at most rates, 11,025 hertz say,
    # the faster rate is none.
    ratio = Fraction(factor).limit_denominator(_FINEST)
    return resample(audio, ratio.numerator, ratio.denominator)


class Speed(Change[float]):
    """One of ``speed_factors``."""

    name = "speed"
    order = 100
    keeps_length = False

    def __init__(self, factors: Sequence[float], probability: float) -> None:
        self._factors = factors
        self._probability = probability

    @classmethod
    def open(cls, setup: Setup) -> Speed | None:
        settings = setup.settings
        if not settings.speed_factors:
            return None
        return cls(settings.speed_factors, settings.speed_probability)

    def draw(self, generator: np.random.Generator) -> float | None:
        if generator.random() >= self._probability:
            return None
        return self._factors[int(generator.random() * len(self._factors))]

    def apply(self, audio: Samples, sampled: float) -> Samples:
        return audio if sampled == 1.0 else change_speed(audio, sampled)
