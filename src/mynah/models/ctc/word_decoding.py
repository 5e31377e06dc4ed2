"""Decoding with the words of the training corpus: a language model, a beam, and their file."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mynah.errors import UserError
from mynah.models.ctc import beam_search, kneser_ney
from mynah.models.ctc.arpa import ArpaModel
from mynah.models.ctc.word_ngrams import WordNgrams
from mynah.models.text.tokenizers import pieces_of

# Beside a checkpoint's weights: how it decodes, and the model; in one, with counts, before 0.1.
SETTINGS_FILE = "language_model.json"
NGRAMS_FILE = "language_model.arpa"


class WordDecoding:
    """A CTC model's language model of words, with its settings.

    Args:
        read: Gives the model of words, once it is needed.
        tokenizer: Of the CTC model.
    """

    def __init__(self, read: Callable[[], ArpaModel], tokenizer: Any) -> None:
        self._read = read
        self._pieces = pieces_of(tokenizer)
        self._written = sorted(self._pieces)
        self._settings = _Settings()

    @classmethod
    def estimate(cls, texts: Iterable[str], tokenizer: Any) -> WordDecoding:
        """From the transcripts that the CTC model is trained on.

        Raises:
            UserError: They have no word.
        """
        model = kneser_ney.estimate_ngrams(texts)
        return cls(lambda: model, tokenizer)

    def configure(self, *, weight: float, word_bonus: float, beam_size: int) -> None:
        """Set the language model's weight, the bonus of a word in nats, and the beam.

        Raises:
            UserError: The checkpoint's language model is damaged.
        """
        self._settings = _Settings(weight, word_bonus, beam_size)
        self.__dict__.pop("_scorer", None)
        assert self._ngrams is not None  # read here, so that an error comes early

    @functools.cached_property
    def _ngrams(self) -> WordNgrams:
        return WordNgrams(self._read())

    @functools.cached_property
    def _scorer(self) -> beam_search.WordScorer:
        return beam_search.WordScorer(
            self._ngrams,
            self._pieces,
            weight=self._settings.weight,
            word_bonus=self._settings.word_bonus,
        )

    def describe(self) -> str:
        """What joins in, with its settings."""
        return (
            "CTC beam search with word n-grams of the training transcripts "
            f"(weight {self._settings.weight:g}, beam {self._settings.beam_size})"
        )

    def labels(self, log_probabilities: np.ndarray, *, blank: int) -> list[int]:
        """The labels of one utterance, from log probabilities [frames, labels]."""
        return beam_search.search(
            log_probabilities,
            blank=blank,
            beam_size=self._settings.beam_size,
            scorer=self._scorer,
            written=self._written,
        )

    def save(self, directory: Path) -> None:
        """Write the files that :meth:`load` reads."""
        text = json.dumps({"settings": dataclasses.asdict(self._settings)})
        (directory / SETTINGS_FILE).write_text(text + "\n", encoding="utf-8")
        self._ngrams.model.write(directory / NGRAMS_FILE)

    @classmethod
    def load(cls, directory: Path, tokenizer: Any) -> WordDecoding | None:
        """As it was saved, the model read once it is used; None where the checkpoint has none.

        Raises:
            UserError: A file is missing or damaged.
        """
        path = directory / SETTINGS_FILE
        if not path.is_file():
            return None
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            settings = _Settings(**content["settings"])
        except (ValueError, KeyError, TypeError):
            raise UserError(
                "The settings of the checkpoint's language model are damaged.",
                where=str(path),
                fix="Use another checkpoint, or copy this one again from where it is intact.",
            ) from None
        if "ngrams" in content:
            found = cls(lambda: kneser_ney.from_counts(content["ngrams"]), tokenizer)
        else:
            found = cls(lambda: ArpaModel.read(directory / NGRAMS_FILE), tokenizer)
        found._settings = settings
        return found


@dataclass(frozen=True)
class _Settings:
    weight: float = 1.0
    word_bonus: float = 0.0
    beam_size: int = 1
