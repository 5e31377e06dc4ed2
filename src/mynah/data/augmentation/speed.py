"""Speed perturbation: tempo and pitch together, as a tape played faster or slower.

Ko et al. 2015, "Audio Augmentation for Speech Recognition".
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from mynah.data.audio.files import resample

_FINEST = 1000  # parts of 1 that a factor is taken to


def change_speed(audio: np.ndarray, factor: float) -> np.ndarray:
    """float32 [samples] to float32 [round(samples / factor)]; pitches rise by ``factor``."""
    # Of whole numbers the resampler is exact in the length; at most rates, 11,025 hertz say,
    # the faster rate is none.
    ratio = Fraction(factor).limit_denominator(_FINEST)
    return resample(audio, ratio.numerator, ratio.denominator)
