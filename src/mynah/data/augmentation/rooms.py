"""Speech as it sounds in a room: convolved with an impulse response."""

from __future__ import annotations

import numpy as np

from mynah.data.augmentation.gain import level

_INAUDIBLE_DB = 60.0  # what is left of a response below this is cut off


def reverberate(audio: np.ndarray, response: np.ndarray, direct: int = 0) -> np.ndarray:
    """The audio as it is heard in a room, as loud and no later than before.

    Args:
        audio: float32 [samples].
        response: Impulse response, float32 [taps].
        direct: The tap of the direct sound; what comes before it stays before it.

    Returns:
        float32 [samples], as many: what would ring on after the end is cut off.
    """
    size = fast_length(len(audio) + len(response) - 1)
    spectrum = np.fft.rfft(audio, size)
    spectrum *= np.fft.rfft(response, size)
    heard = np.fft.irfft(spectrum, size)[direct : direct + len(audio)]
    loudness = level(heard)
    if not loudness:
        return audio
    return (heard * (level(audio) / loudness)).astype(np.float32)


def trimmed(response: np.ndarray) -> tuple[np.ndarray, int]:
    """A measured response without the silence behind it, and the tap of its direct sound.

    The direct sound is taken to be the loudest, as Kaldi's ``wav-reverberate`` does.
    """
    energy = np.cumsum(np.square(response[::-1], dtype=np.float64))[::-1]
    audible = int(np.searchsorted(-energy, -energy[0] * 10 ** (-_INAUDIBLE_DB / 10)))
    direct = int(np.argmax(np.abs(response)))
    return response[: max(audible, direct + 1)], direct


def fast_length(length: int) -> int:
    """The smallest product of powers of 2, 3 and 5 that is no smaller: a fast transform."""
    best = 1 << max(length - 1, 0).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            quotient = -(-length // three)
            best = min(best, three << max(quotient - 1, 0).bit_length())
            three *= 3
        five *= 5
    return best
