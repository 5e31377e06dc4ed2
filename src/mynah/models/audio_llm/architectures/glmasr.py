"""GLM-ASR: windows of 30 s, four of an encoder's frames a token, an instruction in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mynah.models.audio_llm.architecture import Architecture
from mynah.models.audio_llm.requests import InstructionRequests
from mynah.models.audio_llm.windows import WindowFrontend

if TYPE_CHECKING:
    from transformers import GlmAsrProcessor, PreTrainedConfig


def _frontend(processor: GlmAsrProcessor, config: PreTrainedConfig) -> WindowFrontend:
    return WindowFrontend(
        processor.feature_extractor,
        arithmetic=processor._get_audio_token_length,
        mask="input_features_mask",
        max_seconds=processor.max_audio_len,
    )


ARCHITECTURE = Architecture(_frontend, InstructionRequests)
