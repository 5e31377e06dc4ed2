"""Transcription requests that several audio LLMs share: audio and a sentence that asks for text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

from mynah.models.audio_llm.processor import Processor
from mynah.models.audio_llm.prompts import Requests

if TYPE_CHECKING:
    from collections.abc import Sequence

# Stands for the audio: a request that is not tokenized does not open it.
CLIP: Any = "clip.wav"
_BETWEEN_TERMS = re.compile(r"\s*[,;\n，、；]\s*")


class InstructedProcessor(Processor, Protocol):
    """A processor whose request has an instruction in plain words."""

    @property
    def default_transcription_prompt(self) -> str:
        """Its authors' instruction."""

    def apply_transcription_request(
        self, audio: Sequence[str], *, prompt: Sequence[str], tokenize: bool
    ) -> Sequence[str]:
        """The prompts of clips, where ``tokenize`` is false."""


class TemplatedProcessor(Processor, Protocol):
    """A processor that has a chat template alone."""

    @property
    def chat_template(self) -> str | dict[str, str] | None: ...


_P = TypeVar("_P", bound=Processor)


class ProcessorRequests(Requests, Generic[_P]):
    """The request that the processor itself makes, given what is known of a row.

    Args:
        processor: One of transformers' with ``apply_transcription_request``.
    """

    def __init__(self, processor: _P, prompt: str | None, language: str | None) -> None:
        self._processor = processor
        super().__init__(processor, prompt, language)

    def _requested(self, **given: object) -> str:
        """The request for a clip.

        Args:
            given: What the processor is given of it by name, left out where it is empty.
        """
        processor: Any = self._processor
        text: str
        (text,) = processor.apply_transcription_request(
            [CLIP],
            **{name: [value] if value else None for name, value in given.items()},
            tokenize=False,
        )
        return text


class _Instructed(Requests):
    """A sentence that says what is to be done with the audio, names and terms behind it."""

    def _asked(self, context: str) -> str:
        return f"{self.instruction} Keywords: {context}" if context else str(self.instruction)

    def transcript(self, written: str) -> str:
        return unframed(written.strip())


class InstructionRequests(_Instructed):
    """The request that the processor itself makes, with its authors' instruction or one's own."""

    def __init__(
        self, processor: InstructedProcessor, prompt: str | None, language: str | None
    ) -> None:
        self._processor = processor
        self.instruction = processor.default_transcription_prompt
        super().__init__(processor, prompt, language)

    def text(self, language: str, context: str) -> str:
        (text,) = self._processor.apply_transcription_request(
            [CLIP], prompt=[self._asked(context)], tokenize=False
        )
        return text


class TemplateRequests(_Instructed):
    """The same of a processor that has a chat template alone.

    Args:
        instruction: The authors' sentence.
        inline: Whether the audio is part of the text, and not placed by the template.
    """

    def __init__(
        self,
        processor: TemplatedProcessor,
        prompt: str | None,
        language: str | None,
        *,
        instruction: str,
        inline: bool,
    ) -> None:
        self._inline = inline
        self._template: Any = processor.chat_template
        self.instruction = instruction
        super().__init__(processor, prompt, language)

    def text(self, language: str, context: str) -> str:
        asked = self._asked(context)
        content: Any = f"{self._audio_token}{asked}"
        if not self._inline:
            content = [{"type": "audio", "path": CLIP}, {"type": "text", "text": asked}]
        text = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": content}],
            chat_template=self._template or self.tokenizer.chat_template,
            add_generation_prompt=True,
            tokenize=False,
        )
        return cast(str, text)


def terms_of(context: str) -> list[str]:
    """The names and terms of a row, for requests that take a list of them."""
    return [term for term in _BETWEEN_TERMS.split(context) if term]


def unframed(written: str) -> str:
    """Without the sentence that Audio Flamingo 3 puts around a transcript."""
    framed = re.fullmatch(
        r"The (?:spoken content|transcription|content) of the (?:input )?audio is:?\s*"
        r"(['\"])(.*)\1\.?",
        written,
        flags=re.DOTALL,
    )
    return framed[2].strip() if framed else written
