"""A language of tones, and a recognizer of it: segmentation without a trained model.

Each letter is 80 ms of a tone of its own and 40 ms of silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

RATE = 16000
STRIDE = 640
LETTERS = "abcdefghijklmnopqrstuvwxyz"
LETTER_SECONDS = 0.12
_LOWEST_HERTZ, _STEP_HERTZ = 400.0, 100.0


def say(text: str) -> np.ndarray:
    """A few words, 0.08 s between them, float32 [samples]."""
    pieces = []
    for letter in text.lower():
        if letter in LETTERS:
            times = np.arange(round(0.08 * RATE)) / RATE
            hertz = _LOWEST_HERTZ + _STEP_HERTZ * LETTERS.index(letter)
            pieces += [0.3 * np.sin(2 * np.pi * hertz * times), np.zeros(round(0.04 * RATE))]
        elif letter == " ":
            pieces.append(np.zeros(round(0.08 * RATE)))
    return np.concatenate(pieces).astype(np.float32)


def record(path: Path, *parts: str | float) -> list[tuple[float, float]]:
    """Write a recording of things said and of silences in seconds; when each thing is said."""
    draw = np.random.default_rng(0)
    pieces, spans, seconds = [], [], 0.0
    for part in parts:
        made = say(part) if isinstance(part, str) else np.zeros(round(part * RATE), np.float32)
        if isinstance(part, str):
            spans.append((seconds, seconds + len(made) / RATE))
        seconds += len(made) / RATE
        pieces.append(made)
    samples = np.concatenate(pieces)
    soundfile.write(path, samples + 1e-3 * draw.standard_normal(len(samples)), RATE)
    return spans


class ToneFamily:
    """What segmentation asks of a CTC model, for the language of tones."""

    name = "ctc"
    sample_rate = RATE
    blank = 0

    def __init__(self) -> None:
        self.longest_encoded = 0.0  # seconds

    @property
    def frontend(self) -> ToneFamily:
        """Knows how many samples a frame has."""
        return self

    def labels(self, text: str) -> list[int]:
        known = [letter for letter in text.lower() if letter in LETTERS + " "]
        return [1 if letter == " " else 2 + LETTERS.index(letter) for letter in known]

    def output_length(self, samples: int) -> int:
        return samples // STRIDE

    def log_posteriors(self, audios: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [self._encode(audio) for audio in audios]

    def _encode(self, audio: np.ndarray) -> np.ndarray:
        self.longest_encoded = max(self.longest_encoded, len(audio) / RATE)
        frames = audio[: len(audio) // STRIDE * STRIDE].reshape(-1, STRIDE)
        likely = np.full((len(frames), 2 + len(LETTERS)), 1e-4)
        spectrum = np.abs(np.fft.rfft(frames * np.hanning(STRIDE)))
        hertz = np.fft.rfftfreq(STRIDE, 1 / RATE)[spectrum.argmax(axis=1)]
        letter = np.round((hertz - _LOWEST_HERTZ) / _STEP_HERTZ).astype(int)
        said = np.square(frames).mean(axis=1) > 0.01
        silences = np.flatnonzero(~said)
        likely[silences, 0] = 1.0
        there = np.flatnonzero(said)
        likely[there, 2 + letter[there].clip(0, len(LETTERS) - 1)] = 1.0
        return np.log(likely / likely.sum(axis=1, keepdims=True)).astype(np.float32)
