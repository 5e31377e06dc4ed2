"""What the encoders of speech LLMs hear: features, audio tokens, and how both are counted."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mynah.models.audio_llm import features as audio_llm_features
from mynah.models.audio_llm.features import AudioFrontend
from mynah.models.audio_llm.windows import PackedFrontend, VoxtralFrontend, WindowFrontend

if TYPE_CHECKING:
    import torch

# What an empty frame of Granite's is: log10 of 1e-10, or 8 below the loudest, then x / 4 + 1.
_GRANITE_SILENCE = -10.0 / 4.0 + 1.0
_GRANITE_RANGE = 8.0 / 4.0


class ChunkedMelFrontend(AudioFrontend):
    """Qwen3-ASR: log-mel features in chunks of a second, and which of them are real."""

    def __init__(self, processor: Any) -> None:
        super().__init__(processor)
        self.feature_seconds = self.extractor.hop_length / self.sample_rate
        self._chunk: int = 2 * self.extractor.n_window

    def features(self, audio: np.ndarray) -> np.ndarray:
        made = self.extractor(
            np.asarray(audio, dtype=np.float32),
            sampling_rate=self.sample_rate,
            padding=True,
            n_window=0,  # chunks are filled up where a batch is made
            return_tensors="np",
        )
        return np.ascontiguousarray(made["input_features"][0].T, dtype=np.float32)

    def feature_length(self, samples: int) -> int:
        return max(samples, self.extractor.min_length) // self.extractor.hop_length

    def tokens(self, features: int) -> int:
        return self._counted(features, self.processor._get_audio_token_length)

    def alike(self, features: int) -> int:
        return self.tokens(features)

    def pad(self, features: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
        longest = max(map(len, features))
        padded, mask = audio_llm_features.padded(features, -(-longest // self._chunk) * self._chunk)
        return {"input_features": padded.transpose(1, 2), "input_features_mask": mask}


class GraniteFrontend(AudioFrontend):
    """Granite Speech: stacked log-mel features; its encoder is not told what is padding."""

    def __init__(self, processor: Any) -> None:
        super().__init__(processor)
        self.feature_seconds = 2 * self.extractor.hop_length / self.sample_rate

    def features(self, audio: np.ndarray) -> np.ndarray:
        return self.extractor.features(audio)

    def feature_length(self, samples: int) -> int:
        return self.extractor.frames(samples)

    def tokens(self, features: int) -> int:
        return self.extractor.tokens(features)

    def pad(self, features: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
        import torch

        lengths = [len(one) for one in features]
        padded, _ = audio_llm_features.padded(features, max(lengths))
        for row, one in enumerate(features):
            loudest = float(one.max(initial=_GRANITE_SILENCE))
            padded[row, len(one) :] = max(_GRANITE_SILENCE, loudest - _GRANITE_RANGE)
        tokens = torch.tensor([self.tokens(length) for length in lengths])
        return {
            "input_features": padded,
            "input_features_mask": torch.arange(int(tokens.max()))[None] < tokens[:, None],
        }


class FunAsrFrontend(AudioFrontend):
    """Fun-ASR-Nano: stacked filterbanks, each frame a token."""

    def __init__(self, processor: Any) -> None:
        super().__init__(processor)
        extractor = self.extractor
        self.feature_seconds = extractor.frame_shift * extractor.stride_lfr / 1000

    def features(self, audio: np.ndarray) -> np.ndarray:
        return self.extractor.features(audio)

    def feature_length(self, samples: int) -> int:
        return self.extractor.frames(samples)

    def tokens(self, features: int) -> int:
        return features

    def pad(self, features: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
        padded, mask = audio_llm_features.padded(features, max(map(len, features)))
        return {"input_features": padded, "input_features_mask": mask}


class VibeVoiceFrontend(AudioFrontend):
    """VibeVoice-ASR: samples of one loudness, of which padding changes nothing: it is causal."""

    def __init__(self, processor: Any) -> None:
        super().__init__(processor)
        self._hop: int = processor.audio_kwargs["pad_to_multiple_of"]

    def features(self, audio: np.ndarray) -> np.ndarray:
        if not len(audio):
            return np.zeros(0, dtype=np.float32)
        made = self.extractor(
            np.asarray(audio, dtype=np.float32),
            sampling_rate=self.sample_rate,
            pad_to_multiple_of=1,
        )
        return np.asarray(made["input_values"][0, 0], dtype=np.float32)

    def feature_length(self, samples: int) -> int:
        return samples

    def tokens(self, features: int) -> int:
        return -(-features // self._hop)

    def alike(self, features: int) -> int:
        return self.tokens(features)

    def pad(self, features: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
        longest = max(self.tokens(len(one)) for one in features) * self._hop
        padded, mask = audio_llm_features.padded(features, longest)
        return {"input_values": padded[:, None], "padding_mask": mask}


class Phi4Frontend(AudioFrontend):
    """Phi-4-multimodal: log-mel features within the clip, eight of which are a token.

    Its encoder is told what is padding only where lengths differ, as its processor does it:
    beyond 40 s a mask without padding changes what it hears.
    """

    def __init__(self, processor: Any) -> None:
        super().__init__(processor)
        self.feature_seconds = self.extractor.hop_length / self.sample_rate

    def features(self, audio: np.ndarray) -> np.ndarray:
        if len(audio) < self.extractor.win_length:
            return np.zeros((0, self.extractor.feature_size), dtype=np.float32)
        made = self.extractor(np.asarray(audio, dtype=np.float32), sampling_rate=self.sample_rate)
        return np.asarray(made["audio_input_features"][0], dtype=np.float32)

    def feature_length(self, samples: int) -> int:
        extractor = self.extractor
        return max(0, (samples - extractor.win_length) // extractor.hop_length + 1)

    def tokens(self, features: int) -> int:
        return self._counted(features, self.extractor._compute_audio_embed_size)

    def pad(self, features: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
        import torch

        lengths = [len(one) for one in features]
        padded, mask = audio_llm_features.padded(features, max(lengths))
        tokens = torch.tensor([self.tokens(length) for length in lengths])
        batch = {"audio_input_features": padded, "audio_embed_sizes": tokens}
        return batch if len(set(lengths)) == 1 else {**batch, "audio_attention_mask": mask.bool()}


def audio_llm_frontend(processor: Any, config: Any) -> AudioFrontend:
    """The frontend of a speech LLM.

    Args:
        processor: Its processor.
        config: The model's configuration.
    """
    kind = config.model_type
    if kind == "qwen3_asr":
        return ChunkedMelFrontend(processor)
    if kind == "voxtral":
        encoder = config.audio_config
        # Two frames become one in the encoder, and several of its own one token.
        return VoxtralFrontend(
            processor, frames_per_token=2 * encoder.intermediate_size // encoder.hidden_size
        )
    if kind in ("glmasr", "audioflamingo3"):
        return WindowFrontend(
            processor,
            arithmetic=processor._get_audio_token_length,
            mask="input_features_mask",
            max_seconds=processor.max_audio_len,
        )
    if kind == "moss_transcribe_diarize":
        import torch

        one = torch.zeros(1, dtype=torch.long)  # the clip that each window is of
        count = functools.partial(processor._get_audio_token_length, audio_chunk_mapping=one)
        return WindowFrontend(processor, arithmetic=count, mask="input_features_mask")
    if kind == "qwen2_audio" or kind.startswith("qwen2_5_omni"):
        made = WindowFrontend if kind == "qwen2_audio" else PackedFrontend
        return made(
            processor, arithmetic=_halved_twice, mask="feature_attention_mask", windows=False
        )
    if kind.startswith("granite_speech"):
        return GraniteFrontend(processor)
    if kind == "fun_asr_nano":
        return FunAsrFrontend(processor)
    if kind == "phi4_multimodal":
        return Phi4Frontend(processor)
    assert kind == "vibevoice_asr", kind
    return VibeVoiceFrontend(processor)


def _halved_twice(lengths: torch.Tensor) -> torch.Tensor:
    """Qwen2-Audio's: a convolution of stride 2, then the mean of two frames."""
    from transformers.models.qwen2_audio import modeling_qwen2_audio

    encoder: Any = modeling_qwen2_audio.Qwen2AudioEncoder
    return encoder._get_feat_extract_output_lengths(None, lengths)[1]
