"""Whisper's features in the window of 30 s that its weights were trained with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mynah.models.features.frontends import WhisperFrontend

if TYPE_CHECKING:
    import torch

# What an empty Whisper frame is: log10 of 1e-10, or 8 below the loudest, then (x + 4) / 4.
_WHISPER_SILENCE = (-10.0 + 4.0) / 4.0
_WHISPER_RANGE = 8.0 / 4.0


def in_windows(seconds: float, window: float) -> float:
    """What is encoded of a clip that is cut into windows, of which the last is padded."""
    return max(1, math.ceil(seconds / window)) * window


class WhisperWindowFrontend(WhisperFrontend):
    """Whisper's features padded to its window of 30 s, as its weights were trained.

    The features that are handed around are of the clip and its fading alone; the silence behind,
    which is one constant, is added where a batch is made. The numbers are those of the
    extractor, in the time that the clip takes.
    """

    masked = False

    def features(self, audio: np.ndarray) -> np.ndarray:
        # A spectrum sees half a transform of what follows: nothing, before the edge is mirrored.
        silence = self.extractor.n_fft
        room = self.extractor.n_samples - len(audio)
        padded = np.pad(np.asarray(audio, dtype=np.float32), (0, max(0, min(silence, room))))
        return super().features(padded)

    def feature_length(self, samples: int) -> int:
        padded = min(samples + self.extractor.n_fft, max(samples, self.extractor.n_samples))
        return super().feature_length(padded)

    def encoded_lengths(self, lengths: Sequence[int]) -> list[int]:
        return [self.extractor.nb_max_frames] * len(lengths)

    def encoder_frames(self, lengths: Sequence[int]) -> torch.Tensor:
        return super().encoder_frames(self.encoded_lengths(lengths))

    def pad(self, features: Sequence[np.ndarray], length: int) -> dict[str, torch.Tensor]:
        batch = super().pad(features, self.extractor.nb_max_frames)
        for row, one in enumerate(features):
            batch[self.input_name][row, len(one) :] = max(
                _WHISPER_SILENCE, float(one.max(initial=_WHISPER_SILENCE)) - _WHISPER_RANGE
            )
        return batch
