"""Whisper (arXiv 2212.04356): a window of 30 s, languages, translation, timestamps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mynah.models.features.frontends import Frontend, frontend_for, length_function
from mynah.models.features.whisper_window import WhisperWindowFrontend
from mynah.models.seq2seq.architecture import Seq2SeqArchitecture
from mynah.models.seq2seq.prompts import TRANSCRIBE, TRANSLATE, Prompts

if TYPE_CHECKING:
    from transformers import PreTrainedModel, SequenceFeatureExtractor


_FIRST_MULTILINGUAL = 51865  # tokens; openai/whisper/model.py, is_multilingual


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
            said = model.config.vocab_size >= _FIRST_MULTILINGUAL
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
        language_ids = [self._language_tokens[language]] if self.languages else []
        return [self._start, *language_ids, *self._end]


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


def _record(model: PreTrainedModel, *, language: str | None, task: str | None, timed: bool) -> None:
    settings: Any = model.generation_config
    for name, value in (("language", language), ("task", task)):
        if value:
            setattr(settings, name, value)
    if timed:
        settings.return_timestamps = True
    # Otherwise it is built from the model's configuration again when it is loaded.
    settings._from_model_config = False


ARCHITECTURE = Seq2SeqArchitecture(
    _prompts,
    _frontend,
    has_window=True,
    writes_times=True,
    detects_language=True,
    begins_with_space=True,  # openai/whisper, tokenizer.py and decoding.py
    fixed=("embed_positions",),  # sinusoids
    record=_record,
)
