"""Qwen2.5-Omni: the half of it that takes audio and writes text, no vision, no speech."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from transformers import (
    Qwen2_5OmniConfig,
    Qwen2_5OmniThinkerForConditionalGeneration,
    WhisperFeatureExtractor,
)

from mynah.models.audio_llm.architecture import Architecture, Modules, multimodal_model
from mynah.models.audio_llm.audio_half import AudioHalf
from mynah.models.audio_llm.frontend import padded
from mynah.models.audio_llm.requests import TemplateRequests
from mynah.models.audio_llm.windows import WindowFrontend, halved_twice
from mynah.models.pretrained import weights

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel

    from mynah.models.pretrained.part import PretrainedPart

_INSTRUCTION = "Transcribe the speech."
_MASK = "feature_attention_mask"


class PackedFrontend(WindowFrontend):
    """Whisper's features, of which the encoder takes the real ones alone."""

    def __init__(
        self, processor: AudioHalf[WhisperFeatureExtractor], config: PreTrainedConfig
    ) -> None:
        super().__init__(
            processor.feature_extractor, arithmetic=halved_twice, mask=_MASK, windows=False
        )

    def pad(self, features: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
        real = [one[: self.real(len(one))] for one in features]
        filled, mask = padded(real, max(map(len, real)))
        return {"input_features": filled.transpose(1, 2), _MASK: mask}


def _processor(part: PretrainedPart) -> AudioHalf[WhisperFeatureExtractor]:
    return AudioHalf.of(part, WhisperFeatureExtractor)


def _model(part: PretrainedPart, config: PreTrainedConfig) -> PreTrainedModel:
    if not isinstance(config, Qwen2_5OmniConfig):
        return multimodal_model(part, config)
    model: PreTrainedModel = weights.load_weights(
        Qwen2_5OmniThinkerForConditionalGeneration, part, config=config.thinker_config
    )
    return model


ARCHITECTURE = Architecture(
    PackedFrontend,
    functools.partial(TemplateRequests, instruction=_INSTRUCTION, inline=False),
    Modules(projector=(), idle=("model.visual", "model.audio_tower.audio_bos_eos_token")),
    processor=_processor,
    model=_model,
)
