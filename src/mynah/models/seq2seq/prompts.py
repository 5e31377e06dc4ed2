"""What a decoder is told before it writes: where a transcript starts, its language, its task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from mynah.errors import UserError

TRANSCRIBE, TRANSLATE = "transcribe", "translate"
_FIRST_MULTILINGUAL_WHISPER = 51865  # tokens; openai/whisper/model.py, is_multilingual
_SHOWN_LANGUAGES = 30


class Prompts(ABC):
    """The decoder's first tokens, as many for every language.

    Args:
        language: Language of every clip; None: each row's own.
        task: ``"transcribe"`` or ``"translate"``.

    Attributes:
        languages: ISO 639-1 codes that the model knows; empty where it is told none.
        tasks: What it can be asked to do.
    """

    languages: Sequence[str] = ()
    tasks: Sequence[str] = (TRANSCRIBE,)

    def __init__(self, language: str | None, task: str | None) -> None:
        self.task = task or TRANSCRIBE
        if self.task not in self.tasks:
            raise UserError(
                f"This model transcribes; it cannot {self.task}.",
                where="model.task",
                fix="model.task=null",
            )
        if language is not None and not self.languages:
            raise UserError(
                "This model is told no language: it knows one alone.",
                where="model.language",
                fix="model.language=null",
            )
        self.language = None if language is None else self._known(language, "model.language")

    @abstractmethod
    def tokens(self, language: str) -> list[int]:
        """Token ids for a language that :attr:`languages` has; "" where it has none."""

    def ids(self, language: str) -> list[int]:
        """Token ids for a row of this language; ``model.language`` comes before it."""
        return self.tokens(self.spoken(language))

    def spoken(self, language: str) -> str:
        """The language that the decoder is told for a row of ``language``.

        Of a row whose language is not known it is the model's first: :meth:`check` refuses such
        rows before they count.
        """
        if not self.languages:
            return ""
        if self.language is not None:
            return self.language
        return self._code(language) or self.languages[0]

    def knows(self, language: str) -> bool:
        """Whether the decoder can be told what is spoken in a row of ``language``."""
        return not self.languages or self.language is not None or bool(self._code(language))

    def check(self, languages: Iterable[str]) -> None:
        """Raise where a row of a corpus is in no language that the model can be told.

        Raises:
            UserError: With the setting that mends it.
        """
        for language in sorted({one for one in languages if not self.knows(one)}):
            if language:
                self._known(language, "data")
            raise UserError(
                "The decoder of this model is told which language is spoken, and there are rows "
                "whose language is not known.",
                where="model.language",
                fix="model.language=en, or whichever it is; or a column `language` in the data",
            )

    def _known(self, language: str, where: str) -> str:
        code = self._code(language)
        if code is None:
            known = ", ".join(list(self.languages)[:_SHOWN_LANGUAGES])
            more = len(self.languages) - _SHOWN_LANGUAGES
            raise UserError(
                f"The model knows no language {language!r}.",
                where=where,
                fix=f"It knows {known}" + (f" and {more} more" if more > 0 else ""),
            )
        return code

    def _code(self, language: str) -> str | None:
        """The model's own name of a language: en of en, en-US, EN or English."""
        from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

        name = language.strip().lower()
        name = TO_LANGUAGE_CODE.get(name, name)
        for one in (name, name.replace("_", "-").partition("-")[0]):
            if one and one in self.languages:
                return one
        return None


class FixedPrompts(Prompts):
    """One start token, as Moonshine's."""

    def __init__(self, start: int, language: str | None, task: str | None) -> None:
        super().__init__(language, task)
        self._start = start

    def tokens(self, language: str) -> list[int]:
        return [self._start]


class WhisperPrompts(Prompts):
    """``<|startoftranscript|><|en|><|transcribe|><|notimestamps|>`` (arXiv 2212.04356, figure 1).

    An English-only checkpoint has no tokens of language and task, and with timestamps the last
    is left out.
    """

    def __init__(
        self, model: Any, tokenizer: Any, language: str | None, task: str | None, *, timed: bool
    ) -> None:
        from transformers.models.whisper.tokenization_whisper import LANGUAGES

        vocabulary = tokenizer.get_vocab()
        said = getattr(model.generation_config, "is_multilingual", None)
        if said is None:
            said = model.config.vocab_size >= _FIRST_MULTILINGUAL_WHISPER
        known = [one for one in LANGUAGES if f"<|{one}|>" in vocabulary] if said else []
        self.languages = known
        if known:
            self.tasks = (TRANSCRIBE, TRANSLATE)
        english = language is not None and language.lower() in ("en", "english")
        super().__init__(None if english and not known else language, task)
        self._language_tokens = {one: vocabulary[f"<|{one}|>"] for one in known}
        self._start: int = model.config.decoder_start_token_id
        self._end = [] if timed else [vocabulary["<|notimestamps|>"]]
        if known:
            self._end = [vocabulary[f"<|{self.task}|>"], *self._end]

    def tokens(self, language: str) -> list[int]:
        told = [self._language_tokens[language]] if self.languages else []
        return [self._start, *told, *self._end]


class CanaryPrompts(Prompts):
    """The prompt that Canary's processor makes: what is spoken, what is to be written."""

    tasks = (TRANSCRIBE, TRANSLATE)

    def __init__(self, processor: Any, language: str | None, task: str | None) -> None:
        from transformers.models.canary.processing_canary import LANGUAGE_CODE_TO_NAME

        vocabulary = processor.tokenizer.get_vocab()
        self.languages = [one for one in LANGUAGE_CODE_TO_NAME if f"<|{one}|>" in vocabulary]
        super().__init__(language, task)
        self._tokens = {one: self._ask(processor, one) for one in self.languages}

    def _ask(self, processor: Any, language: str) -> list[int]:
        import numpy as np

        (prompt,) = processor.apply_transcription_request(
            [np.zeros(1, dtype=np.float32)],
            source_language=language,
            target_language="en" if self.task == TRANSLATE else language,
            tokenize=False,
        )
        return processor.tokenizer(prompt, add_special_tokens=False)["input_ids"]

    def tokens(self, language: str) -> list[int]:
        return self._tokens[language]


class CoherePrompts(Prompts):
    """The prompt that Cohere's processor makes."""

    def __init__(self, processor: Any, language: str | None, task: str | None) -> None:
        from transformers.models.cohere_asr.processing_cohere_asr import LANGUAGES

        vocabulary = processor.tokenizer.get_vocab()
        self.languages = [one for one in sorted(LANGUAGES) if f"<|{one}|>" in vocabulary]
        super().__init__(language, task)
        self._tokens = {one: processor.get_decoder_prompt_ids(one) for one in self.languages}

    def tokens(self, language: str) -> list[int]:
        return self._tokens[language]


class Speech2TextPrompts(Prompts):
    """The start token, and the language to write where the model knows several."""

    def __init__(self, start: int, tokenizer: Any, language: str | None, task: str | None) -> None:
        self._ids = dict(getattr(tokenizer, "lang_code_to_id", None) or {})
        self.languages = list(self._ids)
        super().__init__(language, task)
        self._start = start

    def tokens(self, language: str) -> list[int]:
        return [self._start, *([self._ids[language]] if language else [])]


def prompts_for(
    model: Any, processor: Any, *, language: str | None, task: str | None, timed: bool
) -> Prompts:
    """The prompts of a model of AutoModelForSpeechSeq2Seq.

    Args:
        model: The model, with its generation config.
        processor: Its processor, or what holds its ``tokenizer``.
        language: ``model.language``.
        task: ``model.task``.
        timed: ``model.timestamps``.

    Raises:
        UserError: The model cannot be told this language or task.
    """
    kind = model.config.model_type
    if timed and kind != "whisper":
        raise UserError(
            f"A {kind} writes no timestamps.",
            where="model.timestamps",
            fix="model.timestamps=false",
        )
    if kind == "whisper":
        return WhisperPrompts(model, processor.tokenizer, language, task, timed=timed)
    if kind == "canary":
        return CanaryPrompts(processor, language, task)
    if kind == "cohere_asr":
        return CoherePrompts(processor, language, task)
    start = start_token(model)
    if kind == "speech_to_text":
        return Speech2TextPrompts(start, processor.tokenizer, language, task)
    return FixedPrompts(start, language, task)


def start_token(model: Any) -> int:
    """The decoder's first token.

    Raises:
        UserError: No configuration says it.
    """
    for config in (model.generation_config, model.config):
        for name in ("decoder_start_token_id", "bos_token_id"):
            if (found := getattr(config, name, None)) is not None:
                return int(found)
    raise UserError(
        "The model's configuration does not say with which token its decoder starts.",
        where="model.pretrained",
        fix="Set decoder_start_token_id in its config.json, or name another model.",
    )
