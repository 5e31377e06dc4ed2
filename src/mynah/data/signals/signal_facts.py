"""What one recording's samples tell: level, clipping, offset, silence, noise, bandwidth."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

NO_SOUND_DB = -120.0  # what stands for the level of no sound at all, as it has no logarithm
_FRAME_SECONDS = 0.025
_QUIET_DB = -60.0  # a frame below is silence, whatever the rest is
_BELOW_SPEECH_DB = 35.0  # and so is one this far below the loudest speech
_SPECTRUM_SECONDS = 0.032
_BANDWIDTH_DB = 65.0
# Measured on 16 kHz speech: what was recorded so keeps energy up to 8 kHz within 57 dB of the
# strongest; what was upsampled from 8 kHz falls by 73 dB and more at 4 kHz, in 16 bits too.
_PLATEAU_SAMPLES = 3
_FULL_SCALE = 0.9999


@dataclass(frozen=True)
class SignalFacts:
    """Measurements of one utterance at the rate of its file.

    Attributes:
        file_rate: Hertz of the file.
        peak_db: The largest sample, decibels below full scale.
        level_db: Root mean square of the samples about their mean, the same.
        dc_offset: Mean of the samples; full scale is 1.
        clipped_share: Share of the samples at full scale, or on a plateau at the peak.
        silence_share: Share of frames of 25 ms that are silence.
        snr_db: Level of the loud frames over that of the quiet ones: an estimate of the
            ratio of speech to noise, as long as anybody pauses.
        bandwidth_hz: The highest frequency with energy; 0 where there is no sound.
    """

    file_rate: float
    peak_db: float
    level_db: float
    dc_offset: float
    clipped_share: float
    silence_share: float
    snr_db: float
    bandwidth_hz: float


FACTS = tuple(field.name for field in fields(SignalFacts))


def measure(samples: np.ndarray, rate: int) -> SignalFacts:
    """The facts of float32 [samples] at ``rate`` hertz, at least one sample."""
    offset = float(samples.mean(dtype=np.float64))
    centred = samples - np.float32(offset)
    levels = _frame_levels(centred, rate)
    loud, quiet = (float(value) for value in np.quantile(levels, [0.95, 0.10]))
    silence = max(_QUIET_DB, loud - _BELOW_SPEECH_DB)
    return SignalFacts(
        file_rate=float(rate),
        peak_db=_decibels(float(np.max(np.abs(samples))) ** 2),
        level_db=_decibels(float(np.mean(np.square(centred, dtype=np.float64)))),
        dc_offset=offset,
        clipped_share=clipped_share(samples),
        silence_share=float(np.mean(levels < silence)),
        snr_db=loud - quiet,
        bandwidth_hz=bandwidth(centred, rate, levels),
    )


def clipped_share(samples: np.ndarray) -> float:
    """Share of the samples that stand at full scale, or in a row of three and more that stand
    still at the peak, as clipping leaves them even where the level was lowered after it."""
    size = np.abs(samples)
    peak = float(size.max())
    if peak == 0.0:
        return 0.0
    clipped = size >= _FULL_SCALE
    high = size >= 0.99 * peak
    still = np.abs(np.diff(samples)) <= 2e-4 * peak
    # A plateau of three: two still steps in a row, all three samples high.
    run = still[:-1] & still[1:] & high[:-2] & high[1:-1] & high[2:]
    if len(samples) >= _PLATEAU_SAMPLES:
        for shift in range(_PLATEAU_SAMPLES):
            clipped[shift : len(samples) - 2 + shift] |= run
    return float(np.mean(clipped))


def bandwidth(samples: np.ndarray, rate: int, levels: np.ndarray) -> float:
    """The highest frequency within 65 dB of the strongest, over the louder half of the frames."""
    width = max(int(_SPECTRUM_SECONDS * rate), 16)
    count = len(samples) // width
    if not count or float(levels.max()) <= NO_SOUND_DB:
        return 0.0
    frames = samples[: count * width].reshape(count, width)
    energy = np.einsum("ij,ij->i", frames, frames)
    louder = frames[energy >= np.median(energy)]
    power = np.zeros(width // 2 + 1)
    window = np.hanning(width).astype(np.float32)
    for start in range(0, len(louder), 256):  # a long recording's spectra are not all held
        spectra = np.fft.rfft(louder[start : start + 256] * window, axis=1)
        power += np.square(np.abs(spectra)).sum(axis=0)
    power[0] = 0.0
    reach = np.flatnonzero(power >= power.max() * 10 ** (-_BANDWIDTH_DB / 10))
    return float(reach[-1] * rate / width) if power.max() > 0 else 0.0


def _frame_levels(samples: np.ndarray, rate: int) -> np.ndarray:
    """Decibels of each frame [frames], at least one."""
    width = max(int(_FRAME_SECONDS * rate), 1)
    count = max(len(samples) // width, 1)
    framed = samples[: count * width].reshape(count, -1)
    power = np.einsum("ij,ij->i", framed, framed, dtype=np.float64) / framed.shape[1]
    levels: np.ndarray = np.maximum(10 * np.log10(np.maximum(power, 1e-12)), NO_SOUND_DB)
    return levels


def _decibels(power: float) -> float:
    return max(10 * math.log10(power), NO_SOUND_DB) if power > 0 else NO_SOUND_DB
