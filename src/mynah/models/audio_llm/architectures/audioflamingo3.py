"""Audio Flamingo 3: windows of 30 s whose padding is masked, an instruction in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mynah.models.audio_llm.architecture import Architecture
from mynah.models.audio_llm.requests import InstructionRequests
from mynah.models.audio_llm.windows import masked_windows
from mynah.models.pretrained import weights

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

    from mynah.models.pretrained.part import PretrainedPart


def _model(part: PretrainedPart, config: PreTrainedConfig) -> PreTrainedModel:
    from transformers import AutoModelForSeq2SeqLM  # where transformers lists it

    model: PreTrainedModel = weights.load_weights(AutoModelForSeq2SeqLM, part, config=config)
    return model


ARCHITECTURE = Architecture(masked_windows, InstructionRequests, model=_model)
