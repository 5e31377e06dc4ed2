"""Voxtral: windows of 30 s, each as many tokens, and mistral-common's transcription request."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from mynah.models.audio_llm.architecture import Architecture
from mynah.models.audio_llm.prompts import Requests
from mynah.models.audio_llm.windows import WindowFrontend

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, VoxtralProcessor

_SPECIAL = re.compile(r"(<s>|\[[A-Z_/]+\])")


class VoxtralFrontend(WindowFrontend):
    """Windows of 30 s, each as many tokens, whatever is in them."""

    def __init__(self, processor: VoxtralProcessor, config: PreTrainedConfig) -> None:
        super().__init__(processor.feature_extractor, arithmetic=_unchanged, mask=None, joint=True)
        encoder = config.audio_config
        # Two frames become one in the encoder, and several of its own one token.
        self._per_token: int = 2 * encoder.intermediate_size // encoder.hidden_size

    def tokens(self, features: int) -> int:
        return self.windows(features) * (self._window // self._per_token)


def _unchanged(lengths: torch.Tensor) -> torch.Tensor:
    return lengths


class VoxtralRequests(Requests):
    """``[INST][BEGIN_AUDIO][AUDIO]...[/INST]lang:en[TRANSCRIBE]``, as mistral-common writes it.

    Voxtral's request has no place for names and terms; they stand where its chat has text.
    """

    # Those that its authors name (mistralai/Voxtral-Mini-3B-2507).
    languages = MappingProxyType(
        {
            "en": "English",
            "es": "Spanish",
            "fr": "French",
            "pt": "Portuguese",
            "hi": "Hindi",
            "de": "German",
            "nl": "Dutch",
            "it": "Italian",
            "ar": "Arabic",
            "ru": "Russian",
            "zh": "Chinese",
            "ja": "Japanese",
            "ko": "Korean",
        }
    )

    def text(self, language: str, context: str) -> str:
        named = f"lang:{language}" if language else ""
        return f"<s>[INST][BEGIN_AUDIO]{self._audio_token}{context}[/INST]{named}[TRANSCRIBE]"

    def _ids(self, text: str) -> list[int]:
        # Mistral's own tokenizer takes no special token from a text.
        ids: list[int] = []
        for part in _SPECIAL.split(text):
            special = self.tokenizer.convert_tokens_to_ids(part) if part else None
            if part and _SPECIAL.fullmatch(part) and isinstance(special, int):
                ids.append(special)
            elif part:
                ids += self.tokenizer(part, add_special_tokens=False)["input_ids"]
        return ids


ARCHITECTURE = Architecture(VoxtralFrontend, VoxtralRequests)
