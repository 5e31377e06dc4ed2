"""Words to the labels of a model, and what of them it has no label for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from mynah.segmentation.transcript import SPOKEN_SIGNS

_NO_CHARACTER = "\ue000"  # of the private use area: no vocabulary has it
_APOSTROPHES = re.compile("[\u2018\u2019\u02bc\u0060\u00b4]")
_JOINTS = re.compile("[-\u2010-\u2015/]+")


class TokenizesText(Protocol):
    """What is needed of a model's family."""

    def labels(self, text: str) -> list[int]: ...


@dataclass(frozen=True)
class WordLabels:
    """A word in the labels of a model.

    Attributes:
        labels: Its labels in order.
        unknown: Its letters, digits and signs that no label stands for.
    """

    labels: tuple[int, ...]
    unknown: str = ""

    @property
    def is_covered(self) -> bool:
        """Whether all that is said of the word can be recognized."""
        return bool(self.labels) and not self.unknown


class WordTokenizer:
    """Tokenizes words by the labels of a family.

    Args:
        family: The model's family.

    Attributes:
        separators: Labels that stand for the space between two words.
    """

    def __init__(self, family: TokenizesText) -> None:
        self._family = family
        self._empty = frozenset(family.labels(_NO_CHARACTER))
        self._known: dict[str, bool] = {}
        self.separators: frozenset[int] = frozenset()

    def tokenize_all(self, words: Iterable[str]) -> list[WordLabels]:
        """The labels of each word; learns on the way what parts two words."""
        made = []
        for word in words:
            word_labels = self.tokenize(word)
            if word_labels.is_covered and not self.separators:
                self.separators = self._between(_plain(word), word_labels.labels)
            made.append(word_labels)
        return made

    def tokenize(self, word: str) -> WordLabels:
        """One word; punctuation that the model has no label for is not said."""
        plain = _plain(word)
        if not self._knows("-"):
            plain = _JOINTS.sub(" ", plain).strip()
        unknown = "".join(dict.fromkeys(one for one in plain if self._is_missed(one)))
        kept = "".join(one for one in plain if one == " " or self._knows(one))
        labels = tuple(self._family.labels(" ".join(kept.split()))) if kept.strip() else ()
        return WordLabels(labels, unknown)

    def _is_missed(self, character: str) -> bool:
        said = unicodedata.category(character)[0] in "LNM" or character in SPOKEN_SIGNS
        return said and not self._knows(character)

    def _knows(self, character: str) -> bool:
        if character not in self._known:
            labels = self._family.labels(character)
            self._known[character] = bool(set(labels) - self._empty)
        return self._known[character]

    def _between(self, word: str, labels: tuple[int, ...]) -> frozenset[int]:
        """What the tokenizer puts between two words that it does not put before one."""
        twice, length = self._family.labels(f"{word} {word}"), len(labels)
        if len(twice) > 2 * length and tuple(twice[:length]) == tuple(twice[-length:]) == labels:
            return frozenset(twice[length:-length])
        return frozenset()


def _plain(word: str) -> str:
    return _APOSTROPHES.sub("'", word)
