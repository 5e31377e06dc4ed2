"""A recognizer of the language of tones, exact on any clip: inference without a trained model."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "segmentation"))

from tone_speech import LETTERS, RATE, say

from mynah.models.transcript import Clip, Transcript, Word

__all__ = ["RATE", "ToneReader", "say", "speech"]

_HOP = 160
_LOUD = 0.01
_BETWEEN_WORDS = 8  # hops of silence; within a word there are 4


def speech(*parts: str | float, noise: float = 1e-4) -> tuple[np.ndarray, list[tuple[str, float]]]:
    """Things said and silences in seconds: float32 [samples], and each word with when it begins."""
    draw = np.random.default_rng(0)
    pieces, words, seconds = [], [], 0.0
    for part in parts:
        if isinstance(part, str):
            for word in part.split():
                words.append((word, seconds))
                made = np.concatenate([say(word), np.zeros(round(0.08 * RATE), np.float32)])
                pieces.append(made)
                seconds += len(made) / RATE
        else:
            pieces.append(np.zeros(round(part * RATE), np.float32))
            seconds += len(pieces[-1]) / RATE
    audio = np.concatenate(pieces)
    return (audio + noise * draw.standard_normal(len(audio))).astype(np.float32), words


class ToneReader:
    """What a recognizer asks of a family, for the language of tones.

    Args:
        window_seconds: Longest clip that it takes; a longer one is an error.
        name: The family that it stands for.
    """

    supports: frozenset[str] = frozenset()

    def __init__(self, window_seconds: float | None = None, name: str = "ctc") -> None:
        self.name = name
        self.sample_rate = RATE
        self.model = torch.nn.Linear(2, 2)
        self.window_samples = None if window_seconds is None else round(window_seconds * RATE)
        self.heard: list[list[float]] = []  # seconds of the clips of each batch
        self.languages: list[str] = []
        self.contexts: list[str] = []

    def check_languages(self, languages: Collection[str]) -> None:
        return

    def describe_decoding(self) -> str:
        return "by ear"

    def encoded_seconds(self, seconds: float) -> float:
        return seconds

    def transcribe(self, clips: Sequence[Clip]) -> list[Transcript]:
        self.heard.append([len(clip.audio) / RATE for clip in clips])
        self.languages += [clip.language for clip in clips]
        self.contexts += [clip.context for clip in clips]
        if self.window_samples is not None:
            assert all(len(clip.audio) <= self.window_samples for clip in clips)
        return [self._read(clip) for clip in clips]

    def word_times(
        self, clips: Sequence[Clip], transcripts: Sequence[Transcript]
    ) -> list[tuple[Word, ...] | None]:
        return [one.words for one in transcripts]

    def _read(self, clip: Clip) -> Transcript:
        audio = clip.audio
        rows = audio[: len(audio) // _HOP * _HOP].reshape(-1, _HOP)
        loud = np.sqrt(np.square(rows).mean(axis=1)) > _LOUD
        edges = np.flatnonzero(np.diff(np.concatenate([[0], loud.astype(np.int8), [0]])))
        words: list[Word] = []
        last = -100
        for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            spectrum = np.abs(np.fft.rfft(audio[start * _HOP : end * _HOP], 8192))
            letter = LETTERS[round((spectrum.argmax() * RATE / 8192 - 400) / 100) % 26]
            first, behind = start * _HOP / RATE, end * _HOP / RATE
            if start - last >= _BETWEEN_WORDS:
                words.append(Word(letter, first, behind))
            else:
                words[-1] = Word(words[-1].text + letter, words[-1].start_seconds, behind)
            last = end
        text = " ".join(word.text for word in words)
        return Transcript(text, words=tuple(words), language=clip.language or None)
