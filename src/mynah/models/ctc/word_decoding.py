"""Decoding with the words of the training corpus: a language model, a beam, and their file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from mynah.models.ctc import beam_search
from mynah.models.ctc.word_ngrams import WordNgrams
from mynah.models.text.tokenizers import pieces_of

FILE = "language_model.json"  # beside a checkpoint's weights


class WordDecoding:
    """A CTC model's language model of words, with its settings.

    Args:
        ngrams: The model of words.
        tokenizer: Of the CTC model.
    """

    def __init__(self, ngrams: WordNgrams, tokenizer: Any) -> None:
        self._ngrams = ngrams
        self._spellings = pieces_of(tokenizer)
        self._written = sorted(self._spellings)
        self.configure(weight=1.0, word_bonus=0.0, beam_size=1)

    @classmethod
    def estimate(cls, texts: Iterable[str], tokenizer: Any) -> WordDecoding:
        """From the transcripts that the CTC model is trained on.

        Raises:
            UserError: They have no word.
        """
        return cls(WordNgrams.estimate(texts), tokenizer)

    def configure(self, *, weight: float, word_bonus: float, beam_size: int) -> None:
        """Set the language model's weight, the bonus of a word in nats, and the beam."""
        self._settings = {"weight": weight, "word_bonus": word_bonus, "beam_size": beam_size}
        self._beam_size = beam_size
        self._scorer = beam_search.WordScorer(
            self._ngrams, self._spellings, weight=weight, word_bonus=word_bonus
        )

    def describe(self) -> str:
        """What joins in, with its settings."""
        return (
            "CTC beam search with word n-grams of the training transcripts "
            f"(weight {self._settings['weight']:g}, beam {self._beam_size})"
        )

    def labels(self, log_probabilities: np.ndarray, *, blank: int) -> list[int]:
        """The labels heard in one utterance, from log probabilities [frames, labels]."""
        return beam_search.search(
            log_probabilities,
            blank=blank,
            beam_size=self._beam_size,
            scorer=self._scorer,
            written=self._written,
        )

    def save(self, directory: Path) -> None:
        """Write the file that :meth:`load` reads."""
        content = {"settings": self._settings, "ngrams": self._ngrams.to_json()}
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        (directory / FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path, tokenizer: Any) -> WordDecoding | None:
        """As it was saved; None where the checkpoint has no language model."""
        if not (directory / FILE).is_file():
            return None
        content = json.loads((directory / FILE).read_text(encoding="utf-8"))
        found = cls(WordNgrams.from_json(content["ngrams"]), tokenizer)
        found.configure(**content["settings"])
        return found
