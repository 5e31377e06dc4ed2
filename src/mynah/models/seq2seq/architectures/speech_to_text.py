"""Speech2Text: Kaldi's filterbank, normalized over the clip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mynah.models.features.frontends import Frontend, length_function
from mynah.models.seq2seq.architecture import Seq2SeqArchitecture
from mynah.models.seq2seq.prompts import Prompts, start_token

if TYPE_CHECKING:
    from transformers import PreTrainedModel, SequenceFeatureExtractor

_KALDI_FRAME, _KALDI_HOP = 400, 160  # written out in Speech2TextFeatureExtractor


class Speech2TextFrontend(Frontend):
    """Kaldi's filterbank, each bin with zero mean and unit variance over the clip."""

    slaney = False

    def features(self, audio: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            made = super().features(audio)
        # Silence has no variance.
        return np.asarray(np.nan_to_num(made, nan=0.0, posinf=0.0, neginf=0.0))

    def feature_length(self, samples: int) -> int:
        return max(0, 1 + (samples - _KALDI_FRAME) // _KALDI_HOP)


class Speech2TextPrompts(Prompts):
    """The start token, and the language to write where the model knows several."""

    def __init__(self, start: int, tokenizer: Any, language: str | None, task: str | None) -> None:
        self._ids = dict(getattr(tokenizer, "lang_code_to_id", None) or {})
        self.languages = list(self._ids)
        super().__init__(language, task)
        self._start = start

    def tokens(self, language: str) -> list[int]:
        return [self._start, *([self._ids[language]] if language else [])]


def _prompts(
    model: PreTrainedModel, processor: Any, language: str | None, task: str | None, *, timed: bool
) -> Prompts:
    return Speech2TextPrompts(start_token(model), processor.tokenizer, language, task)


def _frontend(
    extractor: SequenceFeatureExtractor, model: PreTrainedModel, *, window: str
) -> Frontend:
    return Speech2TextFrontend(extractor, length_function(model.get_encoder()))


ARCHITECTURE = Seq2SeqArchitecture(_prompts, _frontend)
