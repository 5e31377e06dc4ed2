"""A language model of words from a file: n-grams in the ARPA format, or text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mynah import console
from mynah.config.naming.language_model import TEXT
from mynah.errors import UserError
from mynah.models.fusion import kneser_ney, text_ngrams
from mynah.models.fusion.arpa import (
    END,
    NOT_TEXT,
    START,
    UNKNOWN,
    ArpaModel,
    Context,
    escaped,
    unescaped,
)

_LEAST_WRITTEN = 0.5  # of the words of a model: with fewer it is of another script or case


def read_language_model(
    path: Path, *, written_as: Callable[[str], str], letters: frozenset[str] | None
) -> ArpaModel:
    """The model of a file, in the letters of a tokenizer.

    Args:
        path: ``.arpa``, or ``.txt`` with a sentence a line.
        written_as: A text in the tokenizer's case.
        letters: All that the tokenizer can write; None: anything.

    Raises:
        UserError: It cannot be read, is damaged, has no word, or most of its words cannot be
            written with those letters.
    """
    if path.suffix == TEXT:
        model = kneser_ney.estimate_ngrams(
            map(written_as, text_ngrams.lines([path])), where=f"model.language_model={path}"
        )
    else:
        read = ArpaModel.read(path)
        _say_what_is_no_text(read, path)
        model = _cased(read, written_as, path)
    if letters is None:
        return model
    words = [word for word in model.log10[0].get((), {}) if word not in (START, END, UNKNOWN)]
    written = sum(set(unescaped(word)) <= letters for word in words)
    if written < _LEAST_WRITTEN * len(words):
        odd = next(word for word in words if not set(unescaped(word)) <= letters)
        raise UserError(
            f"Only {written:,} of the {len(words):,} words of this language model can be written "
            f"with the model's letters; {odd!r} cannot.",
            where=f"model.language_model={path}",
            fix="name one in the language, script and case of the transcripts",
        )
    return model


def _say_what_is_no_text(model: ArpaModel, path: Path) -> None:
    words = model.log10[0].get((), {}).keys() - {START, END, UNKNOWN}
    if damaged := sum(NOT_TEXT in word for word in words):
        console.notice(
            f"{damaged:,} of the {len(words):,} words of {path.name} are not text in UTF-8, so "
            "they help no transcript: write the file as UTF-8 (iconv -f latin1 -t utf8)."
        )


def _cased(model: ArpaModel, written_as: Callable[[str], str], path: Path) -> ArpaModel:
    """The model with its words in the tokenizer's case, where it has but one.

    Raises:
        UserError: Words that differ in case alone would fall together.
    """
    special = {word: word for word in (START, END, UNKNOWN)}
    cased = {
        word: special.get(word) or escaped(written_as(unescaped(word)))
        for word in model.log10[0].get((), {})
    }
    if all(word == other for word, other in cased.items()):
        return model
    if len(set(cased.values())) < len(cased):
        raise UserError(
            "The language model has words that differ in case alone, and this recognizer writes "
            "one case.",
            where=f"model.language_model={path}",
            fix="estimate it from text in that case (`mynah lm`)",
        )

    def renamed(context: Context) -> Context:
        return tuple(cased.get(word, word) for word in context)

    return ArpaModel(
        [
            {
                renamed(context): {cased[word]: log10 for word, log10 in words.items()}
                for context, words in table.items()
            }
            for table in model.log10
        ],
        {renamed(context): log10 for context, log10 in model.backoff.items()},
    )
