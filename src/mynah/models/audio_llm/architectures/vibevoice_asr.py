"""VibeVoice-ASR: samples in, a list of segments in JSON out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from logging import ERROR
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from transformers.utils import logging

from mynah.models.audio_llm.architecture import Architecture, Modules
from mynah.models.audio_llm.frontend import AudioFrontend, padded
from mynah.models.audio_llm.requests import ProcessorRequests

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, VibeVoiceAsrProcessor


class VibeVoiceFrontend(AudioFrontend):
    """Samples of one loudness, of which padding changes nothing: the encoders are causal."""

    def __init__(self, processor: VibeVoiceAsrProcessor, config: PreTrainedConfig) -> None:
        self.extractor: Any = processor.feature_extractor
        super().__init__(self.extractor.sampling_rate)
        audio: Any = processor.audio_kwargs
        self._hop: int = audio["pad_to_multiple_of"]

    def features(self, audio: np.ndarray) -> np.ndarray:
        if not len(audio):
            return np.zeros(0, dtype=np.float32)
        made = self.extractor(
            np.asarray(audio, dtype=np.float32),
            sampling_rate=self.sample_rate,
            pad_to_multiple_of=1,
        )
        return np.asarray(made["input_values"][0, 0], dtype=np.float32)

    def feature_length(self, samples: int) -> int:
        return samples

    def tokens(self, features: int) -> int:
        return -(-features // self._hop)

    def alike(self, features: int) -> int:
        return self.tokens(features)

    def pad(self, features: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
        longest = max(self.tokens(len(one)) for one in features) * self._hop
        filled, mask = padded(features, longest)
        return {"input_values": filled[:, None], "padding_mask": mask}


class VibeVoiceRequests(ProcessorRequests["VibeVoiceAsrProcessor"]):
    """A list of segments in JSON, as in microsoft/VibeVoice, finetuning-asr/lora_finetune.py.

    Who speaks when is given in training, what is said is learned.
    """

    seconds_matter = True

    def text(self, language: str, context: str) -> str:
        return self._requested(prompt=context)

    def timed(self, text: str, seconds: float) -> str:
        return text.replace(self._processor.audio_duration_token, f"{seconds:.2f}")

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def given(self, language: str, seconds: float) -> list[int]:
        begun = f'[{{"Start":0.0,"End":{round(seconds, 2)},"Speaker":0,"Content":"'
        opened = self.text("", "").rstrip().endswith("assistant")
        return self._ids(begun if opened else f"<|im_start|>assistant\n{begun}")

    def target(self, text: str) -> str:
        # The end of the turn, as its authors train it, comes before the end of the text.
        return f'{json.dumps(text, ensure_ascii=False)[1:-1]}"}}]<|im_end|>\n'

    def transcript(self, written: str) -> str:
        level = logging.get_verbosity()
        logging.set_verbosity(ERROR)  # it warns of text that is not JSON, and gives it back
        try:
            return cast(str, self._processor.extract_transcription(written)).strip()
        finally:
            logging.set_verbosity(level)


ARCHITECTURE = Architecture(
    VibeVoiceFrontend,
    VibeVoiceRequests,
    Modules(encoder=("model.acoustic_tokenizer_encoder", "model.semantic_tokenizer_encoder")),
    trains_encoder=False,
    noise_switch="sample",
)
