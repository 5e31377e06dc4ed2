"""Fun-ASR-Nano: stacked filterbanks, languages by their Chinese names, a list of keywords."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from transformers import (
    AutoTokenizer,
    BatchFeature,
    FunAsrNanoProcessor,
    SequenceFeatureExtractor,
)

from mynah.data.audio.mel import mel_filters
from mynah.models.audio_llm.architecture import Architecture, multimodal_model
from mynah.models.audio_llm.frontend import AudioFrontend, clips_of, padded
from mynah.models.audio_llm.requests import ProcessorRequests, terms_of, unframed
from mynah.models.pretrained import hub

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel

    from mynah.models.pretrained.part import PretrainedPart

_KALDI_FLOOR = 1.1920928955078125e-07  # the least float32 step from 1, Kaldi's floor
_KALDI_LOWEST_HERTZ = 20.0
_KALDI_PREEMPHASIS = 0.97


class FunAsrNanoFeatureExtractor(SequenceFeatureExtractor):
    """Kaldi's filterbank, of which several frames are stacked at a lower rate, without torchaudio.

    The same settings, files and numbers as transformers' own class, whose name it has: its
    processor works with it, and what is saved is loaded by plain transformers. After its
    feature_extraction_fun_asr_nano.py, whose filterbank is torchaudio's
    ``compliance.kaldi.fbank``.

    Args:
        feature_size: Mel filters.
        sampling_rate: Hertz of the audio.
        frame_length: Milliseconds of a frame.
        frame_shift: Milliseconds from one frame to the next.
        num_frames_lfr: Frames that are stacked.
        stride_lfr: Frames from one stack to the next.
        window: ``"hamming"``, as all checkpoints have it.
        padding_value: What features are padded with.
        return_attention_mask: Whether padding is masked.
    """

    model_input_names = ("input_features", "input_features_mask")

    def __init__(
        self,
        feature_size: int = 80,
        sampling_rate: int = 16000,
        frame_length: int = 25,
        frame_shift: int = 10,
        num_frames_lfr: int = 7,
        stride_lfr: int = 6,
        window: str = "hamming",
        padding_value: float = 0.0,
        return_attention_mask: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            feature_size=feature_size,
            sampling_rate=sampling_rate,
            padding_value=padding_value,
            return_attention_mask=return_attention_mask,
            **kwargs,
        )
        self.frame_length = frame_length
        self.frame_shift = frame_shift
        self.num_frames_lfr = num_frames_lfr
        self.stride_lfr = stride_lfr
        self.window = window

    def frames(self, samples: int) -> int:
        """Stacked frames of a clip; a frame that is not full is left out."""
        window, shift = self._window_and_shift
        full = 1 + (samples - window) // shift if samples >= window else 0
        return -(-full // self.stride_lfr)

    @property
    def _window_and_shift(self) -> tuple[int, int]:
        return (
            self.sampling_rate * self.frame_length // 1000,
            self.sampling_rate * self.frame_shift // 1000,
        )

    def features(self, audio: np.ndarray) -> np.ndarray:
        """float32 [samples] to float32 [frames, feature_size * num_frames_lfr]."""
        if not self.frames(len(audio)):
            return np.zeros((0, self.feature_size * self.num_frames_lfr), dtype=np.float32)
        return self._stacked(self._filterbank(np.asarray(audio, dtype=np.float32)))

    def _filterbank(self, audio: np.ndarray) -> np.ndarray:
        import torch

        window, shift = self._window_and_shift
        frames = torch.from_numpy(audio.copy()).unfold(0, window, shift)
        with torch.no_grad():
            frames = frames - frames.mean(1, keepdim=True)
            before = torch.cat((frames[:, :1], frames[:, :-1]), 1)
            frames = (frames - _KALDI_PREEMPHASIS * before) * torch.hamming_window(
                window, periodic=False
            )
            size = 1 << (window - 1).bit_length()
            power = torch.fft.rfft(frames, n=size).abs().square_()
            filters = mel_filters(
                self.feature_size,
                size // 2 + 1,
                self.sampling_rate,
                lowest_hertz=_KALDI_LOWEST_HERTZ,
                straight_in_mel=True,
            )
            logmel: np.ndarray = (
                (power @ torch.tensor(filters)).clamp_min_(_KALDI_FLOOR).log_().numpy()
            )
            return logmel

    def _stacked(self, frames: np.ndarray) -> np.ndarray:
        """The first and the last frame are repeated, so that each stack is centred and full."""
        size, stride = self.num_frames_lfr, self.stride_lfr
        count = -(-len(frames) // stride)
        before = (size - 1) // 2
        behind = (count - 1) * stride + size - before - len(frames)
        places = np.clip(np.arange(-before, len(frames) + max(behind, 0)), 0, len(frames) - 1)
        stacks = np.arange(count)[:, None] * stride + np.arange(size)
        stacked: np.ndarray = frames[places][stacks].reshape(count, -1)
        return stacked

    def __call__(
        self,
        raw_speech: Any,
        sampling_rate: int | None = None,
        return_tensors: str | None = "pt",
        **kwargs: Any,
    ) -> BatchFeature:
        """Features of clips with zeros behind them, as the processor asks for them.

        Args:
            raw_speech: One clip [samples], or several.
            sampling_rate: Hertz of ``raw_speech``.
            return_tensors: As ``"pt"``.

        Returns:
            ``input_features`` [batch, frames, bins] and ``input_features_mask`` [batch, frames].

        Raises:
            ValueError: The audio is of another rate.
        """
        if sampling_rate not in (None, self.sampling_rate):
            raise ValueError(f"The audio has {sampling_rate} Hz, and not {self.sampling_rate}.")
        rows = [self.features(clip) for clip in clips_of(raw_speech)]
        shape = (len(rows), max(map(len, rows)), self.feature_size * self.num_frames_lfr)
        padded = np.full(shape, self.padding_value, dtype=np.float32)
        mask = np.zeros(shape[:2], dtype=np.int64)
        for index, row in enumerate(rows):
            padded[index, : len(row)] = row
            mask[index, : len(row)] = 1
        return BatchFeature(
            {"input_features": padded, "input_features_mask": mask}, tensor_type=return_tensors
        )


class FunAsrFrontend(AudioFrontend):
    """Stacked filterbanks, each frame a token."""

    def __init__(self, processor: FunAsrNanoProcessor, config: PreTrainedConfig) -> None:
        self.extractor: FunAsrNanoFeatureExtractor = processor.feature_extractor
        super().__init__(self.extractor.sampling_rate)
        self.feature_seconds = self.extractor.frame_shift * self.extractor.stride_lfr / 1000
        self.stacked = self.extractor.num_frames_lfr

    def features(self, audio: np.ndarray) -> np.ndarray:
        return self.extractor.features(audio)

    def feature_length(self, samples: int) -> int:
        return self.extractor.frames(samples)

    def tokens(self, features: int) -> int:
        return features

    def pad(self, features: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
        filled, mask = padded(features, max(map(len, features)))
        return {"input_features": filled, "input_features_mask": mask}


class FunAsrRequests(ProcessorRequests["FunAsrNanoProcessor"]):
    """Languages by their Chinese names, context as a list of keywords."""

    languages = MappingProxyType({"zh": "chinese", "en": "english", "ja": "japanese"})

    def text(self, language: str, context: str) -> str:
        return self._requested(language=language, keywords=terms_of(context))

    def transcript(self, written: str) -> str:
        return unframed(written.strip())


def _processor(part: PretrainedPart) -> FunAsrNanoProcessor:
    written, _ = FunAsrNanoProcessor.get_processor_dict(hub.local_place(part), **hub.options(part))
    made: FunAsrNanoProcessor = FunAsrNanoProcessor.from_args_and_dict(
        [
            hub.from_pretrained(FunAsrNanoFeatureExtractor, part),
            hub.from_pretrained(AutoTokenizer, part),
        ],
        written,
    )
    return made


def _model(part: PretrainedPart, config: PreTrainedConfig) -> PreTrainedModel:
    model = multimodal_model(part, config)
    # transformers sets it for models alone, and without it the adaptor attends to padding.
    model.config.adaptor_config._attn_implementation = (
        model.config.audio_config._attn_implementation
    )
    return model


ARCHITECTURE = Architecture(FunAsrFrontend, FunAsrRequests, processor=_processor, model=_model)
