"""What a speech LLM is told beside the audio, and what of its answer is the transcript."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mynah import console
from mynah.config.errors import UserError

_CLIP = "clip.wav"  # stands for the audio: a request that is not tokenized does not open it
_KNOWN_PROMPTS = 4096  # kept as token ids
# Templates of Granite write the day into the prompt; one prompt is to be one prompt.
_DAY = "December 19, 2024"
_BETWEEN_TERMS = re.compile(r"\s*[,;\n，、；]\s*")


@dataclass(frozen=True)
class Prompt:
    """Token ids around the audio.

    Attributes:
        before: Up to the audio.
        after: From the audio to where the model begins to write.
        given: What the model writes before a transcript by itself, and is given in training:
            not learned, for transcripts do not say it.
    """

    before: list[int]
    after: list[int]
    given: list[int]

    @property
    def length(self) -> int:
        """Tokens beside the audio in decoding."""
        return len(self.before) + len(self.after)


class Requests(ABC):
    """The transcription request of one kind of speech LLM.

    Args:
        processor: Its processor.
        prompt: ``model.prompt``; None: its authors'.
        language: ``model.language``; None: each row's own.

    Attributes:
        languages: Names of the languages that it can be told, by ISO 639-1 code.
        instruction: What it is told to do where that is free text; None where it is not.
        seconds_matter: Whether the prompt says how long the audio is.

    Raises:
        UserError: The model cannot be told this.
    """

    languages: dict[str, str]
    instruction: str | None = None
    seconds_matter = False

    def __init__(self, processor: Any, prompt: str | None, language: str | None) -> None:
        self.processor = processor
        self.tokenizer = processor.tokenizer
        self._audio_id = self.tokenizer.convert_tokens_to_ids(processor.audio_token)
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
                "This model is told no language: it hears which one is spoken.",
                where="model.language",
                fix="model.language=null",
            )
        self.language = None
        if language is not None:
            self.language = self.code(language)
            if self.language is None:
                raise UserError(
                    f"The model can be told no language {language!r}.",
                    where="model.language",
                    fix="It knows " + ", ".join(self.languages),
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
        """Say which languages of a corpus the model cannot be told: it is then told none."""
        if not self.languages or self.language is not None:
            return
        unknown = sorted({one for one in languages if one and self.code(one) is None})
        if unknown:
            console.notice(
                f"The model has no name for {', '.join(unknown)}: of such rows it is told no "
                "language."
            )

    def prompt(self, language: str, context: str, seconds: float = 0.0) -> Prompt:
        """The prompt of a row.

        Args:
            language: What is spoken, "" where it is not known; ``model.language`` comes first.
            context: Names and terms that may be said, "" where there are none.
            seconds: How long the audio is.
        """
        told = self.language or self.code(language) or ""
        key = (told, context.strip(), round(seconds, 2) if self.seconds_matter else 0.0)
        if key not in self._known:
            if len(self._known) >= _KNOWN_PROMPTS:
                self._known.clear()
            self._known[key] = self._made(*key)
        return self._known[key]

    def _made(self, language: str, context: str, seconds: float) -> Prompt:
        text = self.text(language, context)
        if self.seconds_matter:
            text = text.replace(self.processor.audio_duration_token, f"{seconds:.2f}")
        ids = self._ids(text)
        place = ids.index(self._audio_id)
        if ids.count(self._audio_id) != 1:
            raise UserError(
                f"The context of a row holds {self.processor.audio_token}, which stands for audio.",
                where="data",
                fix="Take it out of the column `context`.",
            )
        return Prompt(ids[:place], ids[place + 1 :], self._given(language, seconds))

    def _ids(self, text: str) -> list[int]:
        """As transformers' processors tokenize a prompt."""
        begins = bool(self.tokenizer.bos_token) and text.startswith(self.tokenizer.bos_token)
        return self.tokenizer(text, add_special_tokens=not begins)["input_ids"]

    @abstractmethod
    def text(self, language: str, context: str) -> str:
        """The prompt, with one audio token in place of the audio."""

    def _given(self, language: str, seconds: float) -> list[int]:
        return []

    def target(self, text: str) -> str:
        """What is learned of a transcript, without its end."""
        return text

    def transcript(self, written: str) -> str:
        """The transcript in what the model wrote."""
        return written.strip()


class InstructionRequests(Requests):
    """Audio and a sentence that says what is to be done with it, names and terms behind it.

    Args:
        instruction: The authors' sentence; None: the processor's own.
    """

    languages: dict[str, str] = {}  # noqa: RUF012 - as Requests declares it

    def __init__(
        self,
        processor: Any,
        prompt: str | None,
        language: str | None,
        *,
        instruction: str | None = None,
    ) -> None:
        self.instruction = instruction or processor.default_transcription_prompt
        super().__init__(processor, prompt, language)

    def _asked(self, context: str) -> str:
        return f"{self.instruction} Keywords: {context}" if context else str(self.instruction)

    def text(self, language: str, context: str) -> str:
        (text,) = self.processor.apply_transcription_request(
            [_CLIP], prompt=[self._asked(context)], tokenize=False
        )
        return text

    def transcript(self, written: str) -> str:
        return _unframed(written.strip())


class TemplateRequests(InstructionRequests):
    """The same where the processor has a chat template alone: Granite Speech and Qwen2-Audio.

    Args:
        inline: Whether the audio is part of the text, and not placed by the template.
    """

    def __init__(
        self,
        processor: Any,
        prompt: str | None,
        language: str | None,
        *,
        instruction: str,
        inline: bool,
    ) -> None:
        self._inline = inline
        super().__init__(processor, prompt, language, instruction=instruction)

    def text(self, language: str, context: str) -> str:
        asked = self._asked(context)
        content: Any = f"{self.processor.audio_token}{asked}"
        if not self._inline:
            content = [{"type": "audio", "path": _CLIP}, {"type": "text", "text": asked}]
        return self.tokenizer.apply_chat_template(
            [{"role": "user", "content": content}],
            chat_template=self.processor.chat_template or self.tokenizer.chat_template,
            add_generation_prompt=True,
            tokenize=False,
            strftime_now=_the_same_day,
        )


class Qwen3AsrRequests(Requests):
    """``language English<asr_text>`` opens the answer, context is the system's turn."""

    def __init__(self, processor: Any, prompt: str | None, language: str | None) -> None:
        from transformers.models.qwen3_asr.processing_qwen3_asr import LANGUAGE_CODE_TO_NAME

        self.languages = dict(LANGUAGE_CODE_TO_NAME)
        super().__init__(processor, prompt, language)

    def text(self, language: str, context: str) -> str:
        (text,) = self.processor.apply_transcription_request(
            [_CLIP],
            language=[language] if language else None,
            prompt=[context] if context else None,
            tokenize=False,
        )
        return text

    def _given(self, language: str, seconds: float) -> list[int]:
        # As its authors train on rows whose language is not known.
        return [] if language else self._ids("language None<asr_text>")

    def transcript(self, written: str) -> str:
        return self.processor.extract_transcription(written)


class FunAsrRequests(Requests):
    """Languages by their Chinese names, context as a list of keywords."""

    languages = {"zh": "chinese", "en": "english", "ja": "japanese"}  # noqa: RUF012

    def text(self, language: str, context: str) -> str:
        terms = [term for term in _BETWEEN_TERMS.split(context) if term]
        (text,) = self.processor.apply_transcription_request(
            [_CLIP],
            language=[language] if language else None,
            keywords=[terms] if terms else None,
            tokenize=False,
        )
        return text

    def transcript(self, written: str) -> str:
        return _unframed(written.strip())


class VoxtralRequests(Requests):
    """``[INST][BEGIN_AUDIO][AUDIO]...[/INST]lang:en[TRANSCRIBE]``, as mistral-common writes it.

    Voxtral's request has no place for names and terms; they stand where its chat has text.
    """

    # Those that its authors name (mistralai/Voxtral-Mini-3B-2507).
    languages = {  # noqa: RUF012
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

    def text(self, language: str, context: str) -> str:
        told = f"lang:{language}" if language else ""
        return (
            f"<s>[INST][BEGIN_AUDIO]{self.processor.audio_token}{context}[/INST]{told}[TRANSCRIBE]"
        )

    def _ids(self, text: str) -> list[int]:
        # Mistral's own tokenizer takes no special token from a text.
        ids = []
        for part in re.split(r"(<s>|\[[A-Z_/]+\])", text):
            special = self.tokenizer.convert_tokens_to_ids(part) if part else None
            if part and re.fullmatch(r"<s>|\[[A-Z_/]+\]", part) and special is not None:
                ids.append(special)
            elif part:
                ids += self.tokenizer(part, add_special_tokens=False)["input_ids"]
        return ids


class VibeVoiceRequests(Requests):
    """A list of segments in JSON: who speaks when is given in training, what is said is learned."""

    languages: dict[str, str] = {}  # noqa: RUF012 - as Requests declares it
    seconds_matter = True

    def text(self, language: str, context: str) -> str:
        (text,) = self.processor.apply_transcription_request(
            [_CLIP], prompt=[context] if context else None, tokenize=False
        )
        return text

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def _given(self, language: str, seconds: float) -> list[int]:
        begun = f'[{{"Start":0.0,"End":{seconds:.2f},"Speaker":0,"Content":"'
        opened = self.text("", "").rstrip().endswith("assistant")
        return self._ids(begun if opened else f"<|im_start|>assistant\n{begun}")

    def target(self, text: str) -> str:
        return f'{json.dumps(text, ensure_ascii=False)[1:-1]}"}}]'

    def transcript(self, written: str) -> str:
        from transformers.utils import logging

        level = logging.get_verbosity()
        logging.set_verbosity_error()  # of what is no JSON, which is the transcript then
        try:
            return self.processor.extract_transcription(written).strip()
        finally:
            logging.set_verbosity(level)


def requests_for(
    kind: str, processor: Any, *, prompt: str | None, language: str | None
) -> Requests:
    """The requests of a speech LLM.

    Args:
        kind: Its model type.
        processor: Its processor.
        prompt: ``model.prompt``.
        language: ``model.language``.

    Raises:
        UserError: The model cannot be told this.
    """
    own: dict[str, type[Requests]] = {
        "qwen3_asr": Qwen3AsrRequests,
        "fun_asr_nano": FunAsrRequests,
        "voxtral": VoxtralRequests,
        "vibevoice_asr": VibeVoiceRequests,
    }
    if kind in own:
        return own[kind](processor, prompt, language)
    if kind.startswith("granite_speech"):
        # ibm-granite/granite-speech-3.3-2b, its model card
        asked = "can you transcribe the speech into a written format?"
        return TemplateRequests(processor, prompt, language, instruction=asked, inline=True)
    if kind == "qwen2_audio":
        asked = "Transcribe the speech."
        return TemplateRequests(processor, prompt, language, instruction=asked, inline=False)
    return InstructionRequests(processor, prompt, language)


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


def _the_same_day(pattern: str) -> str:
    return _DAY


def _unframed(written: str) -> str:
    """Without the sentence that Audio Flamingo 3 puts around a transcript."""
    framed = re.fullmatch(
        r"The (?:spoken content|transcription|content) of the (?:input )?audio is:?\s*"
        r"(['\"])(.*)\1\.?",
        written,
        flags=re.DOTALL,
    )
    return framed[2].strip() if framed else written
