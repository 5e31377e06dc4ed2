"""Synthetic background noise between white and pink."""

from __future__ import annotations

import functools

import numpy as np

_BANK_SAMPLES = 1 << 20  # about a minute at 16 kHz


def noise(samples: int, colour: float, generator: np.random.Generator) -> np.ndarray:
    """Noise of unit power: float32 [samples].

    Args:
        samples: How many.
        colour: 0 is white, 1 pink (its power falls as 1/f), between them a mixture.
        generator: Draws where in the two noises it is cut out.
    """
    white, pink = _bank()
    starts = generator.integers(_BANK_SAMPLES, size=2)
    places = np.arange(samples)
    mixed = np.float32(np.sqrt(1 - colour)) * np.take(white, places + starts[0], mode="wrap")
    mixed += np.float32(np.sqrt(colour)) * np.take(pink, places + starts[1], mode="wrap")
    return mixed


@functools.cache
def _bank() -> tuple[np.ndarray, np.ndarray]:
    """White and pink noise, made once: a transform an utterance took as long as its speech."""
    generator = np.random.default_rng(20_26)
    white = generator.standard_normal(_BANK_SAMPLES, dtype=np.float32)
    spectrum = np.fft.rfft(generator.standard_normal(_BANK_SAMPLES))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 100.0))  # level below 1.5 Hz
    pink = np.fft.irfft(spectrum, _BANK_SAMPLES).astype(np.float32)
    return white, pink / np.float32(np.sqrt(np.mean(np.square(pink))))
