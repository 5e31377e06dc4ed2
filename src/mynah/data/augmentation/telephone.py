"""What a telephone leaves of a voice: 300 to 3400 hertz, at 8 kHz, through a G.711 codec."""

from __future__ import annotations

import functools

import numpy as np

from mynah.data.audio.files import resample
from mynah.data.augmentation.change import Change, Samples, Setup
from mynah.data.augmentation.gain import within_full_scale

CODECS = ("mu-law", "a-law")  # of North America and Japan, of the rest of the world
BAND_HERTZ = (300.0, 3400.0)  # ITU-T G.712
_RATE = 8000  # hertz
# Hamming window: 3.3 x rate / taps = 103 hertz from pass band to stop band.
_TAPS = 257
_FULL_SCALE = 32768


def telephone(audio: np.ndarray, sample_rate: int, codec: str) -> np.ndarray:
    """The voice as it comes out of a telephone, not shifted in time.

    Args:
        audio: float32 [samples] within full scale.
        sample_rate: Of ``audio``, hertz.
        codec: One of :data:`CODECS`.

    Returns:
        float32 [samples], as many, at the same rate.
    """
    rate = min(_RATE, sample_rate)
    narrow = resample(audio, sample_rate, rate)
    if not len(narrow):  # of a few samples nothing is left at a lower rate
        return audio
    narrow = np.convolve(narrow, _band_pass(rate), mode="full")[_TAPS // 2 :][: len(narrow)]
    received = resample(companded(narrow.astype(np.float32), codec), rate, sample_rate)
    if len(received) < len(audio):
        return np.pad(received, (0, len(audio) - len(received)))
    return received[: len(audio)]


def companded(audio: np.ndarray, codec: str) -> np.ndarray:
    """float32 [samples] through the 8 bits of G.711 and back."""
    steps = np.clip(np.rint(audio * (_FULL_SCALE - 1)), -_FULL_SCALE, _FULL_SCALE - 1)
    passed: np.ndarray = _table(codec)[steps.astype(np.int32) + _FULL_SCALE]
    return passed


@functools.cache
def _band_pass(rate: int) -> np.ndarray:
    """Windowed-sinc filter, [_TAPS]."""
    low, high = (min(edge / rate, 0.5) for edge in BAND_HERTZ)
    times = np.arange(_TAPS) - _TAPS // 2
    ideal = 2 * high * np.sinc(2 * high * times) - 2 * low * np.sinc(2 * low * times)
    windowed: np.ndarray = (ideal * np.hamming(_TAPS)).astype(np.float32)
    return windowed


@functools.cache
def _table(codec: str) -> np.ndarray:
    """What each 16-bit sample becomes, float32 [65536].

    ITU-T G.711: eight segments, each twice as wide as the one below it, of 16 steps.
    """
    samples = np.arange(-_FULL_SCALE, _FULL_SCALE)
    magnitude = np.minimum(np.abs(samples), _FULL_SCALE - 1)
    if codec == "mu-law":
        # 14 bits, moved by 33 so that each segment begins at a power of two
        moved = np.minimum((magnitude >> 2) + 33, 8191)
        segment = np.floor(np.log2(moved)).astype(int) - 5
        step = (moved >> (segment + 1)) & 15
        decoded = (((2 * step + 33) << segment) - 33) << 2
    else:
        magnitude >>= 3  # 13 bits; the lowest two segments have the same step
        segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(int) - 4, 0)
        step = (magnitude >> np.maximum(segment, 1)) & 15
        decoded = np.where(segment > 0, (2 * step + 33) << np.maximum(segment - 1, 0), 2 * step + 1)
        decoded <<= 3
    table: np.ndarray = (np.sign(samples + 0.5) * decoded / _FULL_SCALE).astype(np.float32)
    return table


class Telephone(Change[str]):
    """Through one of :data:`CODECS`."""

    name = "telephone"
    order = 500

    def __init__(self, probability: float, sample_rate: int) -> None:
        self._probability = probability
        self._sample_rate = sample_rate

    @classmethod
    def open(cls, setup: Setup) -> Telephone | None:
        probability = setup.settings.telephone_probability
        return cls(probability, setup.sample_rate) if probability else None

    def draw(self, generator: np.random.Generator) -> str | None:
        if generator.random() >= self._probability:
            return None
        return CODECS[int(generator.random() * len(CODECS))]

    def apply(self, audio: Samples, sampled: str) -> Samples:
        return telephone(within_full_scale(audio), self._sample_rate, sampled)
