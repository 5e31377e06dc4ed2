"""Louder and softer, never clipped."""

from __future__ import annotations

import numpy as np


def apply_gain(audio: np.ndarray, gain_db: float) -> np.ndarray:
    """float32 [samples], ``gain_db`` decibels louder."""
    return audio * np.float32(10 ** (gain_db / 20))


def within_full_scale(audio: np.ndarray) -> np.ndarray:
    """Scaled down as a whole where a sample exceeds full scale: clipping would distort it."""
    peak = float(np.abs(audio).max(initial=0.0))
    return audio / np.float32(peak) if peak > 1.0 else audio


def level(audio: np.ndarray) -> float:
    """Root mean square over all samples; 0.0 where there are none."""
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64)))) if len(audio) else 0.0
