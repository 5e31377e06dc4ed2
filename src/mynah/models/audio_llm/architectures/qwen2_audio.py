"""Qwen2-Audio: one window of 30 s, an instruction in words."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from mynah.models.audio_llm.architecture import Architecture
from mynah.models.audio_llm.requests import TemplateRequests
from mynah.models.audio_llm.windows import WindowFrontend, halved_twice

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, Qwen2AudioProcessor

_INSTRUCTION = "Transcribe the speech."


def _frontend(processor: Qwen2AudioProcessor, config: PreTrainedConfig) -> WindowFrontend:
    return WindowFrontend(
        processor.feature_extractor,
        arithmetic=halved_twice,
        mask="feature_attention_mask",
        windows=False,
    )


ARCHITECTURE = Architecture(
    _frontend, functools.partial(TemplateRequests, instruction=_INSTRUCTION, inline=False)
)
