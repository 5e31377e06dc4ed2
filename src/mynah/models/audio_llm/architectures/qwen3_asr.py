"""Qwen3-ASR: features in chunks of a second; its answer begins with the language."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

import numpy as np
from transformers.models.qwen3_asr.processing_qwen3_asr import LANGUAGE_CODE_TO_NAME

from mynah.models.audio_llm.architecture import Architecture
from mynah.models.audio_llm.frontend import AudioFrontend, padded
from mynah.models.audio_llm.requests import ProcessorRequests

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, Qwen3ASRProcessor


class ChunkedMelFrontend(AudioFrontend):
    """Log-mel features in chunks of a second, and which of them are real."""

    def __init__(self, processor: Qwen3ASRProcessor, config: PreTrainedConfig) -> None:
        self.processor = processor
        self.extractor = processor.feature_extractor
        super().__init__(self.extractor.sampling_rate)
        self.feature_seconds = self.extractor.hop_length / self.sample_rate
        self.log_mel = True
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
        frames: int = max(samples, self.extractor.min_length) // self.extractor.hop_length
        return frames

    def tokens(self, features: int) -> int:
        return self._counted(features, self.processor._get_audio_token_length)

    def alike(self, features: int) -> int:
        return self.tokens(features)

    def pad(self, features: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
        longest = max(map(len, features))
        filled, mask = padded(features, -(-longest // self._chunk) * self._chunk)
        return {"input_features": filled.transpose(1, 2), "input_features_mask": mask}


class Qwen3AsrRequests(ProcessorRequests["Qwen3ASRProcessor"]):
    """``language English<asr_text>`` begins the answer, context is the system's turn."""

    languages = MappingProxyType(LANGUAGE_CODE_TO_NAME)

    def text(self, language: str, context: str) -> str:
        return self._requested(language=language, prompt=context)

    def given(self, language: str, seconds: float) -> list[int]:
        # As its authors train on rows whose language is not known.
        return [] if language else self._ids("language None<asr_text>")

    def transcript(self, written: str) -> str:
        return cast(str, self._processor.extract_transcription(written))


ARCHITECTURE = Architecture(ChunkedMelFrontend, Qwen3AsrRequests)
