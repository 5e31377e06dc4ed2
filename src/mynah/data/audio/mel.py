"""Mel filters: triangles over the frequencies of a spectrum, evenly spaced on the mel scale."""

from __future__ import annotations

import functools

import numpy as np


def hertz_to_mel(hertz: np.ndarray | float) -> np.ndarray:
    """O'Shaughnessy's mel scale (1987), as HTK has it; Kaldi's is the same."""
    return 2595.0 * np.log10(1.0 + np.asarray(hertz) / 700.0)


@functools.lru_cache(maxsize=16)
def mel_filters(
    bins: int,
    frequencies: int,
    sample_rate: int,
    *,
    lowest_hertz: float = 0.0,
    straight_in_mel: bool = False,
) -> np.ndarray:
    """Filters of equal width in mel, each with a peak of one.

    The numbers are those of ``transformers.audio_utils.mel_filter_bank`` without a norm.

    Args:
        bins: How many filters.
        frequencies: Of the spectrum, from 0 hertz to half the sample rate.
        sample_rate: Hertz.
        lowest_hertz: Where the first filter begins; the last ends at half the sample rate.
        straight_in_mel: Whether the sides of a triangle are straight over mel, as Kaldi has them,
            in place of over hertz, as HTK's, librosa's and torchaudio's are.

    Returns:
        float32 [frequencies, bins], not to be written to.
    """
    edges = np.linspace(hertz_to_mel(lowest_hertz), hertz_to_mel(sample_rate / 2), bins + 2)
    places = np.linspace(0, sample_rate / 2, frequencies)
    if straight_in_mel:
        places = hertz_to_mel(places)
    else:
        edges = 700.0 * (10.0 ** (edges / 2595.0) - 1.0)
    widths = np.diff(edges)
    distances = edges - places[:, None]
    rising, falling = -distances[:, :-2] / widths[:-1], distances[:, 2:] / widths[1:]
    filters = np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)
    filters.flags.writeable = False
    return filters
