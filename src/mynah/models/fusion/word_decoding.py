"""Decoding with what is known of words: a language model, hot words, a beam, and their files."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mynah.config.naming.language_model import WORDS
from mynah.errors import UserError
from mynah.models.fusion import kneser_ney, language_models
from mynah.models.fusion.arpa import ArpaModel
from mynah.models.fusion.hot_words import HotWords
from mynah.models.fusion.scorer import WordScorer
from mynah.models.fusion.word_ngrams import WordNgrams
from mynah.models.pretrained.weight_files import sha256_of
from mynah.models.text.tokenizers import pieces_of

# Beside a checkpoint's weights: how it decodes, and the model; in one, with counts, before 0.1.
SETTINGS_FILE = "language_model.json"
NGRAMS_FILE = "language_model.arpa"


class WordDecoding:
    """A recognizer's language model of words, or none, with the settings of its beam.

    Args:
        read: Gives the model of words, once it is needed; None: hot words alone count.
        tokenizer: Of the recognizer.
        source: Where the words come from: ``words``, the training transcripts, or a file's path.
        digest: SHA-256 of that file; None of the transcripts, and of a file in a checkpoint that
            does not know it.

    Attributes:
        source: As above.
        written: Labels that a transcript can have, in order, without a tokenizer's special ones.
    """

    def __init__(
        self,
        read: Callable[[], ArpaModel] | None,
        tokenizer: Any,
        source: str = WORDS,
        digest: str | None = None,
    ) -> None:
        self._read = read
        self.source = source
        self._digest = digest
        self._hot: HotWords | None = None
        self._pieces = pieces_of(tokenizer)
        self.written = sorted(self._pieces)
        self._settings = _Settings()
        self._scorer: WordScorer | None = None

    @classmethod
    def estimate(cls, texts: Iterable[str], tokenizer: Any) -> WordDecoding:
        """From the transcripts that the recognizer is trained on.

        Raises:
            UserError: They have no word.
        """
        model = kneser_ney.estimate_ngrams(texts)
        return cls(lambda: model, tokenizer)

    @classmethod
    def of_file(cls, path: Path, tokenizer: Any, written_as: Callable[[str], str]) -> WordDecoding:
        """From a file: n-grams in the ARPA format, or text to estimate them from.

        Args:
            path: ``.arpa``, or ``.txt`` with a sentence a line.
            tokenizer: Of the recognizer.
            written_as: A text in the tokenizer's case.

        Raises:
            UserError: It cannot be read, is damaged, or has other letters than the tokenizer.
        """
        digest = _digest(path)  # before it is read: a file that changes meanwhile is read again
        model = language_models.read_language_model(
            path, written_as=written_as, letters=letters_of(tokenizer)
        )
        return cls(lambda: model, tokenizer, str(path), digest)

    def is_of(self, path: Path) -> bool:
        """Whether the words are those of a file as it is now; once it is gone, as it was."""
        if self.source != str(path):
            return False
        now = _digest(path)
        return now is None or now == self._digest

    def configure(
        self,
        *,
        weight: float,
        word_bonus: float,
        beam_size: int,
        hot: HotWords | None = None,
        internal_weight: float = 0.0,
    ) -> None:
        """Set what joins.

        Args:
            weight: The language model's.
            word_bonus: Nats for each word.
            beam_size: Hypotheses that are kept.
            hot: Words that are favoured.
            internal_weight: Of the recognizer's own language model, which is divided out.

        Raises:
            UserError: The checkpoint's language model is damaged.
        """
        self._settings = _Settings(weight, word_bonus, beam_size, internal_weight)
        self._hot = hot
        self._scorer = None
        assert self._ngrams is not None or self._read is None  # an error comes early

    @functools.cached_property
    def _ngrams(self) -> WordNgrams | None:
        return None if self._read is None else WordNgrams(self._read())

    @property
    def scorer(self) -> WordScorer:
        """What joins the beam, with its weights: of one utterance the same."""
        if self._scorer is None or self._scorer.is_full:
            self._scorer = WordScorer(
                self._ngrams,
                self._pieces,
                weight=self._settings.weight,
                word_bonus=self._settings.word_bonus,
                hot=self._hot,
            )
        return self._scorer

    @property
    def beam_size(self) -> int:
        """Hypotheses that are kept."""
        return self._settings.beam_size

    @property
    def internal_weight(self) -> float:
        """Of the recognizer's own language model: 0 where no other one joins."""
        return 0.0 if self._read is None else self._settings.internal_weight

    def describe(self, search: str) -> str:
        """What joins in, with its settings.

        Args:
            search: What it joins, as ``CTC beam search``.
        """
        parts, settings = [], f"beam {self._settings.beam_size}"
        if self._read is not None:
            of = "the training transcripts" if self.source == WORDS else Path(self.source).name
            parts.append(f"word n-grams of {of}")
            if self.internal_weight:
                settings = f"internal {self.internal_weight:g}, {settings}"
            settings = f"weight {self._settings.weight:g}, {settings}"
        if self._hot is not None:
            parts.append(f"{len(self._hot):,} hot words")
            settings = f"{settings}, {self._hot.weight:g} a letter of a hot word"
        return f"{search} with {' and '.join(parts)} ({settings})"

    def save(self, directory: Path) -> None:
        """Write the files that :meth:`load` reads; nothing where there is no model of words."""
        if self._ngrams is None:
            return
        content: dict[str, Any] = {"settings": dataclasses.asdict(self._settings)}
        if self.source != WORDS:
            content |= {"source": self.source, "digest": self._digest}
        text = json.dumps(content)
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
            source, digest = str(content.get("source", WORDS)), content.get("digest")
        except (ValueError, KeyError, TypeError):
            raise UserError(
                "The settings of the checkpoint's language model are damaged.",
                where=str(path),
                fix="Use another checkpoint, or copy this one again from where it is intact.",
            ) from None
        if "ngrams" in content:
            found = cls(lambda: kneser_ney.from_counts(content["ngrams"]), tokenizer)
        else:
            found = cls(lambda: ArpaModel.read(directory / NGRAMS_FILE), tokenizer, source, digest)
        found._settings = settings
        return found


def letters_of(tokenizer: Any) -> frozenset[str]:
    """All characters that a recognizer's tokenizer can write, but for space."""
    return frozenset("".join(pieces_of(tokenizer).values())) - {" "}


def _digest(path: Path) -> str | None:
    """SHA-256 of a file; None where it is gone, or may not be read."""
    try:
        return sha256_of(path)
    except OSError:
        return None


@dataclass(frozen=True)
class _Settings:
    weight: float = 1.0
    word_bonus: float = 0.0
    beam_size: int = 1
    internal_weight: float = 0.0
