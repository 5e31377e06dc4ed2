"""The transcription request of each kind of speech LLM, as its authors' processor writes it."""

from __future__ import annotations

import json
import re
from typing import Any

from mynah.models.audio_llm.prompts import Requests

_CLIP = "clip.wav"  # stands for the audio: a request that is not tokenized does not open it
# Templates of Granite write the day into the prompt; one prompt is to be one prompt.
_DAY = "December 19, 2024"
_SEGMENT_MARK = re.compile(r"\[(?:S\d+|[\d:.]+)\]")  # of MOSS: who, or when
_BETWEEN_TERMS = re.compile(r"\s*[,;\n，、；]\s*")


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
    """A list of segments in JSON, as in microsoft/VibeVoice, finetuning-asr/lora_finetune.py.

    Who speaks when is given in training, what is said is learned.
    """

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
        begun = f'[{{"Start":0.0,"End":{round(seconds, 2)},"Speaker":0,"Content":"'
        opened = self.text("", "").rstrip().endswith("assistant")
        return self._ids(begun if opened else f"<|im_start|>assistant\n{begun}")

    def target(self, text: str) -> str:
        # The end of the turn, as its authors train it, comes before the end of the text.
        return f'{json.dumps(text, ensure_ascii=False)[1:-1]}"}}]<|im_end|>\n'

    def transcript(self, written: str) -> str:
        from transformers.utils import logging

        level = logging.get_verbosity()
        logging.set_verbosity_error()  # of what is no JSON, which is the transcript then
        try:
            return self.processor.extract_transcription(written).strip()
        finally:
            logging.set_verbosity(level)


class MossRequests(Requests):
    """Segments with their times and speakers; seconds are written between the audio's tokens.

    That one speaker begins at once is given in training; when it ends is not learned.
    """

    languages: dict[str, str] = {}  # noqa: RUF012 - as Requests declares it

    def text(self, language: str, context: str) -> str:
        terms = [term for term in _BETWEEN_TERMS.split(context) if term]
        (text,) = self.processor.apply_transcription_request(
            [_CLIP], keywords=[terms] if terms else None, tokenize=False
        )
        return text

    def audio(self, tokens: int) -> list[int]:
        return self._ids(self.processor.replace_audio_token({"num_audio_tokens": [tokens]}, 0))

    def _given(self, language: str, seconds: float) -> list[int]:
        return self._ids("[0.00][S01]")

    def target(self, text: str) -> str:
        return f" {text.strip()}" if text.strip() else ""

    def transcript(self, written: str) -> str:
        parts = (part.strip() for part in _SEGMENT_MARK.split(written))
        return " ".join(filter(None, parts))


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
        "moss_transcribe_diarize": MossRequests,
    }
    if kind in own:
        return own[kind](processor, prompt, language)
    if kind.startswith("granite_speech"):
        # ibm-granite/granite-speech-3.3-2b, its model card
        asked = "can you transcribe the speech into a written format?"
        return TemplateRequests(processor, prompt, language, instruction=asked, inline=True)
    if kind == "phi4_multimodal":
        # microsoft/Phi-4-multimodal-instruct, its model card
        asked = "Transcribe the audio clip into text."
        return TemplateRequests(processor, prompt, language, instruction=asked, inline=True)
    if kind == "qwen2_audio" or kind.startswith("qwen2_5_omni"):
        asked = "Transcribe the speech."
        return TemplateRequests(processor, prompt, language, instruction=asked, inline=False)
    return InstructionRequests(processor, prompt, language)


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
