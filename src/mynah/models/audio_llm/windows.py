"""Frontends of encoders after Whisper's: log-mel features in windows, silence behind the clip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mynah.models.audio_llm.frontend import AudioFrontend
from mynah.models.features.whisper_window import in_windows

if TYPE_CHECKING:
    import torch
    from transformers import (
        AudioFlamingo3Processor,
        GlmAsrProcessor,
        PreTrainedConfig,
        WhisperFeatureExtractor,
    )

# What an empty frame of Whisper's is: log10 of 1e-10, or 8 below the loudest, then (x + 4) / 4.
_SILENCE = (-10.0 + 4.0) / 4.0
_RANGE = 8.0 / 4.0


class WindowFrontend(AudioFrontend):
    """Whisper's log-mel features, one row for each window of 30 s, silence behind the clip.

    The features that are handed around are of the clip and its fading alone; the silence, which
    is one constant, is added where a batch is made. The numbers are those of the extractor.

    Args:
        extractor: The processor's feature extractor.
        arithmetic: Features to audio tokens, int64 [batch] both.
        mask: The input that masks padding; None: the model has none.
        windows: Whether a clip may be longer than a window.
        joint: Whether the features of several windows are made at once: the loudest frame of
            all counts, and there is no edge between them.
        max_seconds: Longest clip, where the processor knows one.
    """

    # Two frames behind the last sample still hold some of it: a spectrum spans 2.5 of them.
    _FADING = 2

    def __init__(
        self,
        extractor: WhisperFeatureExtractor,
        *,
        arithmetic: Callable[[torch.Tensor], torch.Tensor],
        mask: str | None,
        windows: bool = True,
        joint: bool = False,
        max_seconds: float | None = None,
    ) -> None:
        super().__init__(extractor.sampling_rate)
        self.extractor = extractor
        self.feature_seconds = extractor.hop_length / self.sample_rate
        self.log_mel = True
        self._mask = mask
        self._joint = joint
        self._window: int = extractor.nb_max_frames
        self._arithmetic = arithmetic
        if not windows:
            self.max_samples = extractor.n_samples
        elif max_seconds is not None:
            self.max_samples = int(max_seconds // extractor.chunk_length) * extractor.n_samples

    def features(self, audio: np.ndarray) -> np.ndarray:
        audio = np.asarray(audio, dtype=np.float32)
        if self._joint:
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
        hop: int = self.extractor.hop_length
        return -(-samples // hop) + self._FADING

    def real(self, features: int) -> int:
        """Features of the clip itself."""
        return features - self._FADING

    def tokens(self, features: int) -> int:
        return self._counted(self.real(features), self._arithmetic)

    def alike(self, features: int) -> int:
        return self.tokens(features)

    def encoded_seconds(self, seconds: float) -> float:
        return in_windows(seconds, self.extractor.chunk_length)

    def windows(self, features: int) -> int:
        """Windows that a clip takes."""
        return max(1, -(-self.real(features) // self._window))

    def pad(self, features: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
        import torch

        rows, masks = [], []
        for one in features:
            count = self.windows(len(one))
            start = 0 if self._joint else (count - 1) * self._window
            filled = np.full((count * self._window, one.shape[1]), _silence(one[start:]))
            kept = min(len(one), len(filled))
            filled[:kept] = one[:kept]
            rows.append(filled.reshape(count, self._window, -1).transpose(0, 2, 1))
            masks.append(np.arange(len(filled)).reshape(count, -1) < self.real(len(one)))
        batch = {"input_features": torch.from_numpy(np.concatenate(rows).astype(np.float32))}
        if self._mask is not None:
            batch[self._mask] = torch.from_numpy(np.concatenate(masks).astype(np.int64))
        return batch


def masked_windows(
    processor: AudioFlamingo3Processor | GlmAsrProcessor, config: PreTrainedConfig
) -> WindowFrontend:
    """Windows whose padding is masked, as many as the processor takes at once."""
    return WindowFrontend(
        processor.feature_extractor,
        arithmetic=processor._get_audio_token_length,
        mask="input_features_mask",
        max_seconds=processor.max_audio_len,
    )


def _silence(features: np.ndarray) -> float:
    """What a frame without any sound is, beside the loudest one."""
    return max(_SILENCE, float(features.max(initial=_SILENCE)) - _RANGE)


def halved_twice(lengths: torch.Tensor) -> torch.Tensor:
    """Qwen2-Audio's frames to tokens: a convolution of stride 2, then the mean of two frames."""
    from transformers.models.qwen2_audio import modeling_qwen2_audio

    encoder: Any = modeling_qwen2_audio.Qwen2AudioEncoder
    made: torch.Tensor = encoder._get_feat_extract_output_lengths(None, lengths)[1]
    return made
