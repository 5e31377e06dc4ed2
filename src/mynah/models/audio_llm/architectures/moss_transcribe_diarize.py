"""MOSS-Transcribe-Diarize: windows of 30 s; it writes segments with times and speakers."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

import torch

from mynah.models.audio_llm.architecture import Architecture
from mynah.models.audio_llm.requests import ProcessorRequests, terms_of
from mynah.models.audio_llm.windows import WindowFrontend

if TYPE_CHECKING:
    from transformers import MossTranscribeDiarizeProcessor, PreTrainedConfig

_SEGMENT_MARK = re.compile(r"\[(?:S\d+|[\d:.]+)\]")  # who, or when


def _frontend(
    processor: MossTranscribeDiarizeProcessor, config: PreTrainedConfig
) -> WindowFrontend:
    one = torch.zeros(1, dtype=torch.long)  # the clip that each window is of
    count = functools.partial(processor._get_audio_token_length, audio_chunk_mapping=one)
    return WindowFrontend(processor.feature_extractor, arithmetic=count, mask="input_features_mask")


class MossRequests(ProcessorRequests["MossTranscribeDiarizeProcessor"]):
    """Segments with their times and speakers; seconds are written between the audio's tokens.

    That one speaker begins at once is given in training; when it ends is not learned.
    """

    def text(self, language: str, context: str) -> str:
        return self._requested(keywords=terms_of(context))

    def audio(self, tokens: int) -> list[int]:
        return self._ids(self._processor.replace_audio_token({"num_audio_tokens": [tokens]}, 0))

    def given(self, language: str, seconds: float) -> list[int]:
        return self._ids("[0.00][S01]")

    def target(self, text: str) -> str:
        return f" {text.strip()}" if text.strip() else ""

    def transcript(self, written: str) -> str:
        parts = (part.strip() for part in _SEGMENT_MARK.split(written))
        return " ".join(filter(None, parts))


ARCHITECTURE = Architecture(_frontend, MossRequests)
