"""Words and characters of a split, and what of them another split never has."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from mynah.evaluation.normalize import get_normalizer
from mynah.inspection.words.text_counts import TextCounts

NORMALIZER = "basic"  # words are compared as they are scored: no case, no punctuation
RARE_CHARACTER = 10  # occurrences below which a character is hardly learned


@dataclass(frozen=True)
class Vocabulary:
    """What a split's transcripts hold.

    Attributes:
        words: Every word, without case and punctuation, with its count, the most frequent
            first.
        characters: Every character of the transcripts as they are, spaces included, likewise.
    """

    words: dict[str, int] = field(repr=False)
    characters: dict[str, int] = field(repr=False)

    @classmethod
    def of(cls, counts: TextCounts) -> Vocabulary:
        """The vocabulary of counted transcripts."""
        normalize = get_normalizer(NORMALIZER)
        words: Counter[str] = Counter()
        for token, count in counts.tokens.items():
            for word in normalize(token).split():
                words[word] += count
        return cls(
            dict(sorted(words.items(), key=lambda item: (-item[1], item[0]))), counts.characters
        )

    @property
    def running_words(self) -> int:
        """All words, each as often as it stands there."""
        return sum(self.words.values())

    @property
    def once(self) -> int:
        """Words that occur once."""
        return sum(count == 1 for count in self.words.values())

    @property
    def rare_characters(self) -> dict[str, int]:
        """Characters that occur fewer than :data:`RARE_CHARACTER` times, the rarest first."""
        rare = [item for item in self.characters.items() if item[1] < RARE_CHARACTER]
        return dict(sorted(rare, key=lambda item: (item[1], item[0])))


@dataclass(frozen=True)
class UnseenWords:
    """What one split says that another never does.

    Attributes:
        running: Share of its running words.
        distinct: Share of its distinct words.
        words: The words, with their counts, the most frequent first.
        characters: Letters, digits and marks of its words that the other never has.
    """

    running: float
    distinct: float
    words: dict[str, int] = field(repr=False)
    characters: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For the record; the hundred most frequent words."""
        return {
            "running": self.running,
            "distinct": self.distinct,
            "distinct_words": len(self.words),
            "words": dict(list(self.words.items())[:100]),
            "characters": list(self.characters),
        }


def unseen_words(split: Vocabulary, known: Vocabulary) -> UnseenWords:
    """What ``split`` says that ``known`` never does."""
    missing = {word: count for word, count in split.words.items() if word not in known.words}
    letters = {letter for word in known.words for letter in word}
    unseen = {letter for word in missing for letter in word} - letters
    return UnseenWords(
        running=sum(missing.values()) / max(split.running_words, 1),
        distinct=len(missing) / max(len(split.words), 1),
        words=missing,
        characters=tuple(sorted(unseen)),
    )
