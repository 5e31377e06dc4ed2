"""What the encoders of sequence-to-sequence recognizers hear, where it differs from CTC models."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mynah.models.features.frontends import (
    Frontend,
    WaveformFrontend,
    WhisperFrontend,
    frontend_for,
    length_function,
)

if TYPE_CHECKING:
    import torch

# What an empty Whisper frame is: log10 of 1e-10, or 8 below the loudest, then (x + 4) / 4.
_WHISPER_SILENCE = (-10.0 + 4.0) / 4.0
_WHISPER_RANGE = 8.0 / 4.0

_KALDI_FRAME, _KALDI_HOP = 400, 160  # written out in Speech2TextFeatureExtractor


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

    def heard(self, lengths: Sequence[int]) -> list[int]:
        return [self.extractor.nb_max_frames] * len(lengths)

    def encoder_frames(self, lengths: Sequence[int]) -> torch.Tensor:
        return super().encoder_frames(self.heard(lengths))

    def pad(self, features: Sequence[np.ndarray], length: int) -> dict[str, torch.Tensor]:
        batch = super().pad(features, self.extractor.nb_max_frames)
        for row, one in enumerate(features):
            batch[self.input_name][row, len(one) :] = max(
                _WHISPER_SILENCE, float(one.max(initial=_WHISPER_SILENCE)) - _WHISPER_RANGE
            )
        return batch


class CohereFrontend(Frontend):
    """Cohere's log-mel features of the whole clip: its extractor would cut a long one in pieces."""

    def __init__(self, extractor: Any, frames: Callable[[torch.Tensor], torch.Tensor]) -> None:
        whole = copy.copy(extractor)
        whole.max_audio_clip_s = math.inf
        self._whole = whole
        super().__init__(extractor, frames)
        self.max_features = round(extractor.max_audio_clip_s / (self.feature_seconds or 1))

    def features(self, audio: np.ndarray) -> np.ndarray:
        made = self._whole(
            np.asarray(audio, dtype=np.float32),
            sampling_rate=self.sample_rate,
            return_tensors="np",
        )
        real = np.asarray(made["attention_mask"][0]).astype(bool)
        return np.asarray(made[self.input_name][0], dtype=np.float32)[real]

    def feature_length(self, samples: int) -> int:
        return samples // self.extractor.hop_length


class Speech2TextFrontend(Frontend):
    """Kaldi's filterbank, each bin with zero mean and unit variance over the clip."""

    def features(self, audio: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            made = super().features(audio)
        return np.nan_to_num(made, nan=0.0, posinf=0.0, neginf=0.0)  # silence has no variance

    def feature_length(self, samples: int) -> int:
        return max(0, 1 + (samples - _KALDI_FRAME) // _KALDI_HOP)


class MoonshineFrontend(WaveformFrontend):
    """Samples as they are, with a mask: Moonshine is always told what is padding.

    Args:
        extractor: A ``Wav2Vec2FeatureExtractor``.
        frames: Samples to encoder frames.
        multiple: Samples of a frame of the streaming models, which take whole ones alone: the
            last is filled with silence.
        longest: Most samples that it takes, or None.
    """

    def __init__(
        self,
        extractor: Any,
        frames: Callable[[torch.Tensor], torch.Tensor],
        multiple: int = 1,
        longest: int | None = None,
    ) -> None:
        super().__init__(extractor, frames)
        self.masked = True
        self.max_features = longest
        self._multiple = multiple

    def features(self, audio: np.ndarray) -> np.ndarray:
        made = super().features(audio)
        return np.pad(made, (0, self.feature_length(len(audio)) - len(audio)))

    def feature_length(self, samples: int) -> int:
        return -(-samples // self._multiple) * self._multiple


def seq2seq_frontend(extractor: Any, model: Any, *, window: str) -> Frontend:
    """The frontend of a model of AutoModelForSpeechSeq2Seq.

    Args:
        extractor: Its feature extractor.
        model: The model; only its configuration is kept.
        window: ``"native"`` or ``"clip"``, for Whisper.

    Raises:
        UserError: No frontend is written for this feature extractor.
    """
    kind = model.config.model_type
    if kind == "moonshine":
        return MoonshineFrontend(extractor, _moonshine_frames)
    if kind == "moonshine_streaming":
        encoder = model.config.encoder_config
        frame = round(encoder.sample_rate * encoder.frame_ms / 1000)
        # Two halvings of the frames come before the decoder's embedding of their positions.
        longest = 4 * frame * model.config.max_position_embeddings
        return MoonshineFrontend(extractor, _StreamingFrames(frame), frame, longest)
    encoder = model.get_encoder()
    own: dict[str, type[Frontend]] = {
        "CohereAsrFeatureExtractor": CohereFrontend,
        "Speech2TextFeatureExtractor": Speech2TextFrontend,
    }
    if window == "native":
        own["WhisperFeatureExtractor"] = WhisperWindowFrontend
    if special := own.get(type(extractor).__name__):
        return special(extractor, length_function(encoder))
    return frontend_for(extractor, encoder)


def _moonshine_frames(lengths: torch.Tensor) -> torch.Tensor:
    """Three convolutions: kernels 127, 7 and 3, strides 64, 3 and 2, no padding."""
    for kernel, stride in ((127, 64), (7, 3), (3, 2)):
        lengths = (lengths - kernel).div(stride, rounding_mode="floor") + 1
    return lengths


class _StreamingFrames:
    """Frames of so many samples, halved twice by causal convolutions."""

    def __init__(self, frame: int) -> None:
        self._frame = frame

    def __call__(self, lengths: torch.Tensor) -> torch.Tensor:
        frames = lengths // self._frame
        for _ in range(2):
            frames = (frames - 1).div(2, rounding_mode="floor") + 1
        return frames
