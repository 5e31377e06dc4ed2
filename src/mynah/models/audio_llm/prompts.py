"""What an audio LLM is given beside the audio, and what of its answer is the transcript."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from mynah import console
from mynah.errors import UserError
from mynah.models.patches.chat_templates import try_templates

if TYPE_CHECKING:
    from mynah.models.audio_llm.processor import Processor

_KNOWN_PROMPTS = 4096  # kept as token ids


@dataclass(frozen=True)
class Prompt:
    """Token ids around the audio.

    Attributes:
        before: Up to the audio.
        after: From the audio to where the model begins to write.
        given: What the model writes before a transcript by itself, and is given in training:
            not learned, for transcripts do not hold it.
    """

    before: list[int]
    after: list[int]
    given: list[int]

    @property
    def length(self) -> int:
        """Tokens beside the audio in decoding."""
        return len(self.before) + len(self.after)


class Requests(ABC):
    """The transcription request of one audio LLM.

    Args:
        processor: Its processor.
        prompt: ``model.prompt``; None: its authors'.
        language: ``model.language``; None: each row's own.

    Attributes:
        languages: Names of the languages that the request can name, by ISO 639-1 code; empty
            where it names none.
        instruction: What the model is asked to do where that is free text; None where it is not.
        seconds_matter: Whether the prompt says how long the audio is.

    Raises:
        UserError: The request has no place for this instruction, or does not support the language.
    """

    languages: Mapping[str, str] = MappingProxyType({})
    instruction: str | None = None
    seconds_matter = False

    def __init__(self, processor: Processor, prompt: str | None, language: str | None) -> None:
        try_templates()
        self.tokenizer = processor.tokenizer
        self._audio_token = processor.audio_token
        self._audio_id = cast(int, self.tokenizer.convert_tokens_to_ids(self._audio_token))
        self._known: dict[tuple[str, str, float], Prompt] = {}
        if prompt is not None and self.instruction is None:
            raise UserError(
                "This model takes no instruction: its request to transcribe is a fixed one.",
                where="model.prompt",
                fix="model.prompt=null; names and terms go into a column `context` of the data",
            )
        self.instruction = prompt or self.instruction
        if language is not None and not self.languages:
            raise UserError(
                "This model is not conditioned on a language: it detects which one is spoken.",
                where="model.language",
                fix="model.language=null",
            )
        self.language = None
        if language is not None:
            self.language = self.code(language)
            if self.language is None:
                raise UserError(
                    f"The model does not support the language {language!r}.",
                    where="model.language",
                    fix="It supports " + ", ".join(self.languages),
                )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_known": {}}

    def code(self, language: str) -> str | None:
        """The model's own code of a language: en of en, en-US, EN or English."""
        name = language.strip().lower()
        for one in (name, name.replace("_", "-").partition("-")[0]):
            for code, called in self.languages.items():
                if one and one in (code.lower(), called.lower()):
                    return code
        return None

    def check(self, languages: Iterable[str]) -> None:
        """Say which languages of a corpus the request cannot name: of such rows it names none."""
        if not self.languages or self.language is not None:
            return
        unknown = sorted({one for one in languages if one and self.code(one) is None})
        if unknown:
            console.notice(
                f"The model has no name for {', '.join(unknown)}: it is not given the language of "
                "such rows."
            )

    def prompt(self, language: str, context: str, seconds: float = 0.0) -> Prompt:
        """The prompt of a row.

        Args:
            language: What is spoken, "" where it is not known; ``model.language`` comes first.
            context: Names and terms that may be said, "" where there are none.
            seconds: How long the audio is.
        """
        spoken = self.language or self.code(language) or ""
        key = (spoken, context.strip(), round(seconds, 2) if self.seconds_matter else 0.0)
        if key not in self._known:
            if len(self._known) >= _KNOWN_PROMPTS:
                self._known.clear()
            self._known[key] = self._made(*key)
        return self._known[key]

    def _made(self, language: str, context: str, seconds: float) -> Prompt:
        text = self.text(language, context)
        if self.seconds_matter:
            text = self.timed(text, seconds)
        ids = self._ids(text)
        place = ids.index(self._audio_id)
        if ids.count(self._audio_id) != 1:
            raise UserError(
                f"The context of a row holds {self._audio_token}, which stands for audio.",
                where="data",
                fix="Take it out of the column `context`.",
            )
        return Prompt(ids[:place], ids[place + 1 :], self.given(language, seconds))

    def _ids(self, text: str) -> list[int]:
        """As transformers' processors tokenize a prompt."""
        begins = bool(self.tokenizer.bos_token) and text.startswith(self.tokenizer.bos_token)
        ids: list[int] = self.tokenizer(text, add_special_tokens=not begins)["input_ids"]
        return ids

    def audio(self, tokens: int) -> list[int]:
        """Token ids that stand for the audio.

        Args:
            tokens: How many of them the encoder's frames are put in.
        """
        return [self._audio_id] * tokens

    @abstractmethod
    def text(self, language: str, context: str) -> str:
        """The prompt, with one audio token in place of the audio.

        Args:
            language: One of :attr:`languages`, or "" where none is given.
            context: Names and terms that may be said, or "".
        """

    def timed(self, text: str, seconds: float) -> str:
        """The prompt of a clip of so many seconds, where :attr:`seconds_matter`."""
        return text

    def given(self, language: str, seconds: float) -> list[int]:
        """:attr:`Prompt.given` of a row in this language, one of :attr:`languages` or ""."""
        return []

    def target(self, text: str) -> str:
        """What is learned of a transcript, without its end."""
        return text

    def transcript(self, written: str) -> str:
        """The transcript in what the model wrote."""
        return written.strip()


def turn_end(requests: Requests, ends: Sequence[int]) -> int:
    """The token that ends a transcript: what ends a turn in the prompt, else the tokenizer's.

    Args:
        requests: Makes the prompt.
        ends: The tokens at which the model stops.
    """
    prompt = requests.prompt("", "")
    for token in reversed([*prompt.before, *prompt.after]):
        if token in ends:
            return token
    own = requests.tokenizer.eos_token_id
    return own if own in ends else ends[0]
