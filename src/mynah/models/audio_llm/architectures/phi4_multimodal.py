"""Phi-4-multimodal: log-mel features within the clip, and an adapter that makes it recognize."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from transformers import Phi4MultimodalFeatureExtractor

from mynah.models.audio_llm.architecture import Architecture, Modules, multimodal_model
from mynah.models.audio_llm.audio_half import AudioHalf
from mynah.models.audio_llm.frontend import AudioFrontend, padded
from mynah.models.audio_llm.requests import TemplateRequests
from mynah.models.pretrained import hub

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel

    from mynah.models.pretrained.part import PretrainedPart

_SPEECH_LORA = "speech-lora"  # where it keeps the adapter
# microsoft/Phi-4-multimodal-instruct, its model card
_INSTRUCTION = "Transcribe the audio clip into text."
_AUDIO = "model.embed_tokens_extend.audio_embed"


class Phi4Frontend(AudioFrontend):
    """Log-mel features within the clip, eight of which are a token.

    Its encoder gets a mask of padding only where lengths differ, as its processor does it:
    beyond 40 s a mask without padding changes what it puts out.
    """

    def __init__(
        self, processor: AudioHalf[Phi4MultimodalFeatureExtractor], config: PreTrainedConfig
    ) -> None:
        self.extractor = processor.feature_extractor
        super().__init__(self.extractor.sampling_rate)
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
        filled, mask = padded(features, max(lengths))
        tokens = torch.tensor([self.tokens(length) for length in lengths])
        batch = {"audio_input_features": filled, "audio_embed_sizes": tokens}
        return batch if len(set(lengths)) == 1 else {**batch, "audio_attention_mask": mask.bool()}


def _processor(part: PretrainedPart) -> AudioHalf[Phi4MultimodalFeatureExtractor]:
    return AudioHalf.of(part, Phi4MultimodalFeatureExtractor)


def _model(part: PretrainedPart, config: PreTrainedConfig) -> PreTrainedModel:
    """With its adapter for speech where that is still apart: a checkpoint of ours has it merged."""
    model = multimodal_model(part, config)
    if hub.fetch(part, f"{_SPEECH_LORA}/adapter_config.json") is None:
        return model
    options = {
        "subfolder": _SPEECH_LORA,
        "revision": part.commit,
        "local_files_only": hub.options(part)["local_files_only"],
    }
    with hub.quiet():
        model.load_adapter(hub.local_place(part), adapter_name="speech", adapter_kwargs=options)
    return model


ARCHITECTURE = Architecture(
    Phi4Frontend,
    functools.partial(TemplateRequests, instruction=_INSTRUCTION, inline=True),
    Modules(
        encoder=(f"{_AUDIO}.encoder",),
        projector=(f"{_AUDIO}.up_proj_for_speech", f"{_AUDIO}.down_proj_for_speech"),
        decoder=("model.layers", "model.norm", "model.embed_tokens", "lm_head"),
        idle=(
            "model.embed_tokens_extend.image_embed",
            f"{_AUDIO}.up_proj_for_vision_speech",
            f"{_AUDIO}.down_proj_for_vision_speech",
        ),
    ),
    processor=_processor,
    model=_model,
)
