"""Whisper (arXiv 2212.04356): a window of 30 s, languages, translation, timestamps."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah.models.features.frontends import Frontend, frontend_for, length_function
from mynah.models.features.whisper_window import WhisperWindowFrontend
from mynah.models.seq2seq.architecture import Seq2SeqArchitecture
from mynah.models.seq2seq.english_only import (
    FIRST_MULTILINGUAL,
    check_named_languages,
    is_english_only,
    knows_english_alone,
)
from mynah.models.seq2seq.prompts import TRANSCRIBE, TRANSLATE, Prompts
from mynah.models.text.plain_text import PlainText

if TYPE_CHECKING:
    from transformers import PreTrainedModel, SequenceFeatureExtractor


class WhisperPrompts(Prompts):
    """``<|startoftranscript|><|en|><|transcribe|><|notimestamps|>`` (arXiv 2212.04356, figure 1).

    An English-only checkpoint has no tokens of language and task, and with timestamps the last
    is left out. Names and terms come before them as the text of a former window does, behind
    ``<|startofprev|>``: of a long one the last 223 tokens (openai/whisper, decoding.py).
    """

    def __init__(
        self, model: Any, tokenizer: Any, language: str | None, task: str | None, *, timed: bool
    ) -> None:
        from transformers.models.whisper.tokenization_whisper import LANGUAGES

        vocabulary = tokenizer.get_vocab()
        said = getattr(model.generation_config, "is_multilingual", None)
        if said is None:
            said = model.config.vocab_size >= FIRST_MULTILINGUAL
        known = [one for one in LANGUAGES if f"<|{one}|>" in vocabulary] if said else []
        self.languages = known
        if known:
            self.tasks = (TRANSCRIBE, TRANSLATE)
        english = language is not None and is_english_only(language)
        self._name: str = model.name_or_path
        if language is not None and not english and not known:
            raise knows_english_alone(self._name, language, where=f"model.language={language}")
        super().__init__(None if english and not known else language, task)
        self._language_tokens = {one: vocabulary[f"<|{one}|>"] for one in known}
        self._start: int = model.config.decoder_start_token_id
        self._timed = timed
        self._task_tokens: dict[str, int] = {}
        self._no_times: int = vocabulary["<|notimestamps|>"]
        self._plain = PlainText(tokenizer)
        self._previous: int | None = vocabulary.get("<|startofprev|>")
        self.takes_context = self._previous is not None
        self.most_context = model.config.max_target_positions // 2 - 1
        self._end = [] if timed else [self._no_times]
        if known:
            self._task_tokens = {one: vocabulary[f"<|{one}|>"] for one in self.tasks}
            self._end = [self._task_tokens[self.task], *self._end]

    def check(self, languages: Iterable[str]) -> None:
        others = sorted(one for one in languages if one and not is_english_only(one))
        if others and not self.languages:
            raise knows_english_alone(self._name, others[0], where="data")
        super().check(languages)

    def tokens(self, language: str) -> list[int]:
        language_ids = [self._language_tokens[language]] if self.languages else []
        return [self._start, *language_ids, *self._end]

    def previous(self, context: str, room: int | None = None) -> list[int]:
        ids = self._context_ids(context)
        most = self.most_context if room is None else min(self.most_context, room - 1)
        if self._previous is None or not ids or most < 1:
            return []
        return [self._previous, *ids[-most:]]

    def context_tokens(self, context: str) -> int:
        return len(self._context_ids(context))

    def _context_ids(self, context: str) -> list[int]:
        text = context.strip()
        return self._plain.ids(f" {text}") if text else []

    def recorded(self) -> dict[str, Any]:
        """As ``WhisperGenerationMixin._retrieve_init_tokens`` of transformers makes a prompt.

        Language and task of the base do not stay where the training had others. Without a
        language it is detected. An English-only model must name neither.
        """
        languages = {f"<|{one}|>": token for one, token in self._language_tokens.items()}
        return {
            "is_multilingual": bool(self.languages),
            "language": self.language,
            "task": self.task if self.languages else None,
            "lang_to_id": languages or None,
            "task_to_id": self._task_tokens or None,
            "no_timestamps_token_id": self._no_times,
            "return_timestamps": self._timed,
            "forced_decoder_ids": None,  # what names language and task in the oldest ones
        }


def _prompts(
    model: PreTrainedModel, processor: Any, language: str | None, task: str | None, *, timed: bool
) -> Prompts:
    return WhisperPrompts(model, processor.tokenizer, language, task, timed=timed)


def _frontend(
    extractor: SequenceFeatureExtractor, model: PreTrainedModel, *, window: str
) -> Frontend:
    encoder = model.get_encoder()
    if window == "native":
        return WhisperWindowFrontend(extractor, length_function(encoder))
    return frontend_for(extractor, encoder)


def _other_files(processor: Any, directory: Path) -> None:
    """The files of OpenAI's repositories that transformers 5 no longer writes.

    faster-whisper reads ``preprocessor_config.json``, convert-h5-to-ggml.py of whisper.cpp
    ``vocab.json`` and ``added_tokens.json``, and tokenizers of older libraries ``vocab.json``
    and ``merges.txt``.
    """
    processor.feature_extractor.save_pretrained(directory)
    tokenizer = processor.tokenizer
    tokenizer.save_vocabulary(str(directory))
    vocabulary = directory / "vocab.json"
    pieces: dict[str, int] = json.loads(vocabulary.read_text(encoding="utf-8"))
    added = {token: n for token, n in tokenizer.get_added_vocab().items() if token not in pieces}
    _write_by_number(vocabulary, pieces)
    _write_by_number(directory / "added_tokens.json", added)


def _write_by_number(path: Path, tokens: dict[str, int]) -> None:
    """Tokens in the order of their ids: whisper.cpp numbers them by their places."""
    ordered = dict(sorted(tokens.items(), key=lambda one: one[1]))
    path.write_text(json.dumps(ordered, ensure_ascii=False) + "\n", encoding="utf-8")


ARCHITECTURE = Seq2SeqArchitecture(
    _prompts,
    _frontend,
    has_window=True,
    writes_times=True,
    detects_language=True,
    begins_with_space=True,  # openai/whisper, tokenizer.py and decoding.py
    fixed=("embed_positions",),  # sinusoids
    other_files=_other_files,
    check_languages=check_named_languages,
)
