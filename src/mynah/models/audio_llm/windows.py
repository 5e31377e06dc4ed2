"""Frontends of encoders after Whisper's: log-mel features in windows, silence behind the clip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mynah.models.audio_llm import features as audio_llm_features
from mynah.models.audio_llm.features import AudioFrontend

if TYPE_CHECKING:
    import torch

# What an empty frame of Whisper's is: log10 of 1e-10, or 8 below the loudest, then (x + 4) / 4.
_SILENCE = (-10.0 + 4.0) / 4.0
_RANGE = 8.0 / 4.0


class WindowFrontend(AudioFrontend):
    """Whisper's log-mel features, one row for each window of 30 s, silence behind the clip.

    The features that are handed around are of the clip and its fading alone; the silence, which
    is one constant, is added where a batch is made. The numbers are those of the extractor.

    Args:
        processor: The model's processor.
        arithmetic: Features to audio tokens, int64 [batch] both.
        mask: The name of what says which features are real; None: the model is not told.
        windows: Whether a clip may be longer than a window.
        whole: Whether the features of several windows are made at once: the loudest frame of
            all counts, and there is no edge between them.
        max_seconds: Longest clip, where the processor knows one.
    """

    # Two frames behind the last sample still hear it, for a spectrum reaches over 2.5 of them.
    _FADING = 2

    def __init__(
        self,
        processor: Any,
        *,
        arithmetic: Callable[[torch.Tensor], torch.Tensor],
        mask: str | None,
        windows: bool = True,
        whole: bool = False,
        max_seconds: float | None = None,
    ) -> None:
        super().__init__(processor)
        extractor = self.extractor
        self.feature_seconds = extractor.hop_length / self.sample_rate
        self._mask = mask
        self._whole = whole
        self._window: int = extractor.nb_max_frames
        self._arithmetic = arithmetic
        if not windows:
            self.max_samples = extractor.n_samples
        elif max_seconds is not None:
            self.max_samples = int(max_seconds // extractor.chunk_length) * extractor.n_samples

    def features(self, audio: np.ndarray) -> np.ndarray:
        audio = np.asarray(audio, dtype=np.float32)
        if self._whole:
            return self._of_window(audio)
        size, last = self.extractor.n_samples, self._window
        starts = range(0, max(len(audio), 1), size)
        parts = [self._of_window(audio[start : start + size]) for start in starts]
        return np.concatenate([*(one[:last] for one in parts[:-1]), parts[-1]])

    def _of_window(self, audio: np.ndarray) -> np.ndarray:
        """[frames, bins] of a clip with its fading."""
        extractor = self.extractor
        hop, window = extractor.hop_length, extractor.n_samples
        room = -(-max(len(audio), 1) // window) * window
        frames = -(-len(audio) // hop) + self._FADING
        # Where the window ends the spectrum is mirrored; before, it sees the silence.
        enough = min(room, frames * hop + extractor.n_fft)
        padded = np.pad(audio, (0, enough - len(audio)))
        made = extractor._torch_extract_fbank_features(padded[None])[0].T[:frames]
        behind = ((0, frames - len(made)), (0, 0))
        return np.pad(made, behind, constant_values=_silence(made)).astype(np.float32)

    def feature_length(self, samples: int) -> int:
        return -(-samples // self.extractor.hop_length) + self._FADING

    def _real(self, features: int) -> int:
        """Features of the clip itself."""
        return features - self._FADING

    def tokens(self, features: int) -> int:
        return self._counted(self._real(features), self._arithmetic)

    def alike(self, features: int) -> int:
        return self.tokens(features)

    def windows(self, features: int) -> int:
        """Windows that a clip takes."""
        return max(1, -(-self._real(features) // self._window))

    def pad(self, features: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
        import torch

        rows, masks = [], []
        for one in features:
            count = self.windows(len(one))
            start = 0 if self._whole else (count - 1) * self._window
            filled = np.full((count * self._window, one.shape[1]), _silence(one[start:]))
            kept = min(len(one), len(filled))
            filled[:kept] = one[:kept]
            rows.append(filled.reshape(count, self._window, -1).transpose(0, 2, 1))
            masks.append(np.arange(len(filled)).reshape(count, -1) < self._real(len(one)))
        batch = {"input_features": torch.from_numpy(np.concatenate(rows).astype(np.float32))}
        if self._mask is not None:
            batch[self._mask] = torch.from_numpy(np.concatenate(masks).astype(np.int64))
        return batch


class PackedFrontend(WindowFrontend):
    """Qwen2.5-Omni: the same features, of which the encoder takes the real ones alone."""

    def pad(self, features: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
        real = [one[: self._real(len(one))] for one in features]
        padded, mask = audio_llm_features.padded(real, max(map(len, real)))
        assert self._mask is not None
        return {"input_features": padded.transpose(1, 2), self._mask: mask}


class VoxtralFrontend(WindowFrontend):
    """Voxtral: windows of 30 s, each as many tokens, whatever is in them."""

    def __init__(self, processor: Any, *, frames_per_token: int) -> None:
        super().__init__(processor, arithmetic=_nothing, mask=None, whole=True)
        self._per_token = frames_per_token

    def tokens(self, features: int) -> int:
        return self.windows(features) * (self._window // self._per_token)


def _nothing(lengths: torch.Tensor) -> torch.Tensor:
    return lengths


def _silence(features: np.ndarray) -> float:
    """What a frame without any sound is, beside the loudest one."""
    return max(_SILENCE, float(features.max(initial=_SILENCE)) - _RANGE)
