"""Speed perturbation: tempo and pitch together, as a tape played faster or slower.

Ko et al. 2015, "Audio Augmentation for Speech Recognition".
"""

from __future__ import annotations

import numpy as np

from mynah.data.audio import resample


def change_speed(audio: np.ndarray, factor: float, sample_rate: int) -> np.ndarray:
    """float32 [samples] to float32 [round(samples / factor)]; pitches rise by ``factor``."""
    # A whole number of hertz: the resampler is then exact in the length.
    return resample(audio, round(factor * sample_rate), sample_rate)
