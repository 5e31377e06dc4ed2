"""What the encoders of speech LLMs hear: features, audio tokens, and how both are counted."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

# What an empty frame of Whisper's is: log10 of 1e-10, or 8 below the loudest, then (x + 4) / 4.
_SILENCE = (-10.0 + 4.0) / 4.0
_RANGE = 8.0 / 4.0
# Granite's is divided by 4 first, and then 1 is added.
_GRANITE_SILENCE = -10.0 / 4.0 + 1.0


class AudioFrontend:
    """What one kind of speech LLM is given of a clip. It holds no weights.

    Args:
        processor: The model's processor.

    Attributes:
        sample_rate: Hertz of the audio it takes.
        feature_seconds: Seconds a feature frame covers; None where features are samples.
        max_samples: Longest clip that is heard at once, or None where the language model's
            context is the only limit.
    """

    feature_seconds: float | None = None
    max_samples: int | None = None

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.extractor = _extractor_of(processor)
        self.sample_rate: int = self.extractor.sampling_rate
        self._counts: dict[int, int] = {}

    def _counted(self, features: int, arithmetic: Callable[[torch.Tensor], torch.Tensor]) -> int:
        """What the model's own arithmetic makes of one length: asked often, and there are few."""
        import torch

        if features <= 0:  # by the formula of some models even nothing has a token
            return 0
        if features not in self._counts:
            self._counts[features] = max(0, int(arithmetic(torch.tensor([features]))[0]))
        return self._counts[features]

    def features(self, audio: np.ndarray) -> np.ndarray:
        """float32 [samples] to float32 [frames, bins], or [samples]: of the clip alone."""
        raise NotImplementedError

    def feature_length(self, samples: int) -> int:
        """Features that ``samples`` samples become."""
        raise NotImplementedError

    def tokens(self, features: int) -> int:
        """Audio tokens that the processor puts in for features of this length."""
        raise NotImplementedError

    def alike(self, features: int) -> int:
        """Clips for which this is equal are decoded together, and say what each says alone."""
        return features

    def pad(self, features: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
        """What the model takes of a batch's features."""
        raise NotImplementedError


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
        padded, mask = _padded(features, -(-longest // self._chunk) * self._chunk)
        return {"input_features": padded.transpose(1, 2), "input_features_mask": mask}


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


class VoxtralFrontend(WindowFrontend):
    """Voxtral: windows of 30 s, each as many tokens, whatever is in them."""

    def __init__(self, processor: Any, *, frames_per_token: int) -> None:
        super().__init__(processor, arithmetic=_nothing, mask=None, whole=True)
        self._per_token = frames_per_token

    def tokens(self, features: int) -> int:
        return self.windows(features) * (self._window // self._per_token)


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
        padded, _ = _padded(features, max(lengths))
        for row, one in enumerate(features):
            loudest = float(one.max(initial=_GRANITE_SILENCE))
            padded[row, len(one) :] = max(_GRANITE_SILENCE, loudest - _RANGE)
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
        padded, mask = _padded(features, max(map(len, features)))
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
        padded, mask = _padded(features, longest)
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
        padded, mask = _padded(features, max(lengths))
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
    if kind == "qwen2_audio":
        return WindowFrontend(
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


def _extractor_of(processor: Any) -> Any:
    for name in ("feature_extractor", "audio_processor"):
        if (found := getattr(processor, name, None)) is not None:
            return found
    raise AssertionError(f"{type(processor).__name__} has no feature extractor")


def _halved_twice(lengths: torch.Tensor) -> torch.Tensor:
    """Qwen2-Audio's: a convolution of stride 2, then the mean of two frames."""
    from transformers.models.qwen2_audio import modeling_qwen2_audio

    encoder: Any = modeling_qwen2_audio.Qwen2AudioEncoder
    return encoder._get_feat_extract_output_lengths(None, lengths)[1]


def _nothing(lengths: torch.Tensor) -> torch.Tensor:
    return lengths


def _silence(features: np.ndarray) -> float:
    """What a frame without any sound is, beside the loudest one."""
    return max(_SILENCE, float(features.max(initial=_SILENCE)) - _RANGE)


def _padded(features: Sequence[np.ndarray], length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """[batch, length, ...] with zeros behind each, and int64 [batch, length] of what is real."""
    import torch

    padded = np.zeros((len(features), length, *features[0].shape[1:]), dtype=np.float32)
    mask = np.zeros((len(features), length), dtype=np.int64)
    for row, one in enumerate(features):
        padded[row, : len(one)] = one
        mask[row, : len(one)] = 1
    return torch.from_numpy(padded), torch.from_numpy(mask)
