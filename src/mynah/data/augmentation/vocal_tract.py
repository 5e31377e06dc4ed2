"""Vocal tract length perturbation: the same words from a longer or a shorter throat.

Jaitly and Hinton 2013, "Vocal Tract Length Perturbation (VTLP) improves speech recognition": the
frequencies of an utterance are multiplied by a factor. Pitch, tempo and length stay, unlike with
speed perturbation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mynah.data.augmentation.change import FeatureChange, Setup

# Formants lie below; above it the axis is squeezed, so that it ends where it did.
_KNEE_HERTZ = 4800.0
_KNEE_SHARE = 0.6  # of half the sample rate, where that is less


def warp_frequencies(
    features: NDArray[np.float32], factor: float, *, sample_rate: int
) -> NDArray[np.float32]:
    """float32 [frames, bins] to as many, what was at f hertz at ``factor`` f.

    Args:
        features: Log-mel, on Slaney's scale from 0 to half of the sample rate.
        factor: Above 1 for a shorter vocal tract, such as a child's.
        sample_rate: Hertz of the audio.
    """
    from transformers.audio_utils import hertz_to_mel, mel_to_hertz

    bins = features.shape[1]
    nyquist = sample_rate / 2
    top = float(hertz_to_mel(nyquist, mel_scale="slaney"))
    hertz = mel_to_hertz(top * np.arange(1, bins + 1) / (bins + 1), mel_scale="slaney")
    knee = min(_KNEE_HERTZ, _KNEE_SHARE * nyquist) * min(factor, 1.0)
    before = np.interp(hertz, [0.0, knee, nyquist], [0.0, knee / factor, nyquist])
    places = hertz_to_mel(before, mel_scale="slaney") / top * (bins + 1) - 1
    places = np.clip(places, 0, bins - 1)
    lower = np.minimum(places.astype(np.int64), bins - 2)
    share = (places - lower).astype(np.float32)
    warped: NDArray[np.float32] = features[:, lower] * (1 - share) + features[:, lower + 1] * share
    return warped


class VocalTract(FeatureChange):
    """One factor of ``vocal_tract_factors`` for an utterance."""

    name = "vocal_tract"
    order = 50  # before the masks, which stay straight
    warps = True

    def __init__(self, low: float, high: float, probability: float, sample_rate: int) -> None:
        self._low, self._high = low, high
        self._probability = probability
        self._sample_rate = sample_rate

    @classmethod
    def open(cls, setup: Setup) -> VocalTract | None:
        settings = setup.settings
        if not (settings.vocal_tract_factors and settings.vocal_tract_probability):
            return None
        low, high = settings.vocal_tract_factors
        return cls(low, high, settings.vocal_tract_probability, setup.sample_rate)

    def apply(
        self, features: NDArray[np.float32], generator: np.random.Generator
    ) -> NDArray[np.float32]:
        factor = self._draw(generator)
        if factor is None:
            return features
        return warp_frequencies(features, factor, sample_rate=self._sample_rate)

    def describe(self, generator: np.random.Generator) -> dict[str, Any]:
        factor = self._draw(generator)
        return {} if factor is None else {self.name: factor}

    def _draw(self, generator: np.random.Generator) -> float | None:
        if generator.random() >= self._probability:
            return None
        return float(generator.uniform(self._low, self._high))
