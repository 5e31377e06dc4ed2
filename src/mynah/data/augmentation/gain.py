"""Louder and softer, never clipped."""

from __future__ import annotations

from typing import Any

import numpy as np

from mynah.data.augmentation import draws
from mynah.data.augmentation.change import Change, Samples, Setup


def apply_gain(audio: np.ndarray, gain_db: float) -> np.ndarray:
    """float32 [samples], ``gain_db`` decibels louder."""
    return audio * np.float32(10 ** (gain_db / 20))


def within_full_scale(audio: np.ndarray) -> np.ndarray:
    """Scaled down throughout where a sample exceeds full scale: clipping would distort it."""
    peak = float(np.abs(audio).max(initial=0.0))
    return audio / np.float32(peak) if peak > 1.0 else audio


def level(audio: np.ndarray) -> float:
    """Root mean square over all samples; 0.0 where there are none."""
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64)))) if len(audio) else 0.0


class Gain(Change[float]):
    """Decibels from -``gain_db`` to +``gain_db``."""

    name = "gain"
    order = 300

    def __init__(self, most_db: float, probability: float) -> None:
        self._most_db = most_db
        self._probability = probability

    @classmethod
    def open(cls, setup: Setup) -> Gain | None:
        settings = setup.settings
        return cls(settings.gain_db, settings.gain_probability) if settings.gain_db else None

    def draw(self, generator: np.random.Generator) -> float | None:
        if generator.random() >= self._probability:
            return None
        return draws.between(generator, [-self._most_db, self._most_db])

    def apply(self, audio: Samples, sampled: float) -> Samples:
        return apply_gain(audio, sampled)

    def describe(self, sampled: float) -> dict[str, Any]:
        return {"gain_db": sampled}
