"""Cohere ASR: log-mel features of the complete clip, languages in the prompt."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from mynah.models.features.frontends import Frontend, length_function
from mynah.models.seq2seq.architecture import Seq2SeqArchitecture
from mynah.models.seq2seq.prompts import Prompts

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, SequenceFeatureExtractor


class CohereFrontend(Frontend):
    """Cohere's log-mel features of a clip at once: its extractor would cut a long one in pieces."""

    def __init__(self, extractor: Any, frames: Callable[[torch.Tensor], torch.Tensor]) -> None:
        uncut = copy.copy(extractor)
        uncut.max_audio_clip_s = math.inf
        self._uncut = uncut
        super().__init__(extractor, frames)
        self.max_features = round(extractor.max_audio_clip_s / (self.feature_seconds or 1))

    def features(self, audio: np.ndarray) -> np.ndarray:
        made = self._uncut(
            np.asarray(audio, dtype=np.float32),
            sampling_rate=self.sample_rate,
            return_tensors="np",
        )
        real = np.asarray(made["attention_mask"][0]).astype(bool)
        features: np.ndarray = np.asarray(made[self.input_name][0], dtype=np.float32)[real]
        return features

    def feature_length(self, samples: int) -> int:
        hop: int = self.extractor.hop_length
        return samples // hop


class CoherePrompts(Prompts):
    """The prompt that Cohere's processor makes."""

    def __init__(self, processor: Any, language: str | None, task: str | None) -> None:
        from transformers.models.cohere_asr.processing_cohere_asr import LANGUAGES

        vocabulary = processor.tokenizer.get_vocab()
        self.languages = [one for one in sorted(LANGUAGES) if f"<|{one}|>" in vocabulary]
        super().__init__(language, task)
        self._tokens: dict[str, list[int]] = {
            one: processor.get_decoder_prompt_ids(one) for one in self.languages
        }

    def tokens(self, language: str) -> list[int]:
        return self._tokens[language]


def _prompts(
    model: PreTrainedModel, processor: Any, language: str | None, task: str | None, *, timed: bool
) -> Prompts:
    return CoherePrompts(processor, language, task)


def _frontend(
    extractor: SequenceFeatureExtractor, model: PreTrainedModel, *, window: str
) -> Frontend:
    return CohereFrontend(extractor, length_function(model.get_encoder()))


ARCHITECTURE = Seq2SeqArchitecture(_prompts, _frontend)
