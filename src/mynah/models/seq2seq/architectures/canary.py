"""Canary: the prompt names the language that is spoken and the one that is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mynah.models.patches.chat_templates import try_templates
from mynah.models.seq2seq.architecture import Seq2SeqArchitecture
from mynah.models.seq2seq.prompts import TRANSCRIBE, TRANSLATE, Prompts

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class CanaryPrompts(Prompts):
    """The prompt that Canary's processor makes: what is spoken, what is to be written."""

    tasks = (TRANSCRIBE, TRANSLATE)

    def __init__(self, processor: Any, language: str | None, task: str | None) -> None:
        from transformers.models.canary.processing_canary import LANGUAGE_CODE_TO_NAME

        try_templates()
        vocabulary = processor.tokenizer.get_vocab()
        self.languages = [one for one in LANGUAGE_CODE_TO_NAME if f"<|{one}|>" in vocabulary]
        super().__init__(language, task)
        self._tokens = {one: self._ask(processor, one) for one in self.languages}

    def _ask(self, processor: Any, language: str) -> list[int]:
        (prompt,) = processor.apply_transcription_request(
            [np.zeros(1, dtype=np.float32)],
            source_language=language,
            target_language="en" if self.task == TRANSLATE else language,
            tokenize=False,
        )
        ids: list[int] = processor.tokenizer(prompt, add_special_tokens=False)["input_ids"]
        return ids

    def tokens(self, language: str) -> list[int]:
        return self._tokens[language]


def _prompts(
    model: PreTrainedModel, processor: Any, language: str | None, task: str | None, *, timed: bool
) -> Prompts:
    return CanaryPrompts(processor, language, task)


ARCHITECTURE = Seq2SeqArchitecture(_prompts)
