"""Hypotheses rescored by a language model of words: what it adds to their log probability."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from mynah import console
from mynah.models.fusion.arpa import ArpaModel
from mynah.models.fusion.word_ngrams import SENTENCE_END, WordNgrams

_LEAST_KNOWN = 0.5  # of the words recognized: with fewer it is of another language or script


class Rescorer:
    """N-grams with the weights that join them to a model's own probability.

    Args:
        model: The n-grams.
        weight: The power that their probability is raised to.
        word_bonus: Nats for each word.
        words_of: The words of a hypothesis, as the n-grams have them.

    Raises:
        UserError: The model has no ``<unk>``, no ``</s>`` or no word.
    """

    def __init__(
        self,
        model: ArpaModel,
        *,
        weight: float,
        word_bonus: float,
        words_of: Callable[[str], Sequence[str]],
    ) -> None:
        self._ngrams = WordNgrams(model)
        self._known = frozenset(self._ngrams.vocabulary)
        self._weight = weight
        self._word_bonus = word_bonus
        self._words_of = words_of

    def worth(self, text: str) -> float:
        """What is added to a hypothesis's log probability, its end included, in nats."""
        words = self._words_of(text)
        history, worth = self._ngrams.start, 0.0
        for word in [*words, SENTENCE_END]:
            worth += self._ngrams.log_word(history, word)
            history = self._ngrams.after(history, word)
        return self._weight * worth + self._word_bonus * len(words)

    def word_count(self, text: str) -> int:
        """How many words a hypothesis has, as the n-grams have them."""
        return len(self._words_of(text))

    def say_what_it_knows(self, texts: Iterable[str]) -> None:
        """Say so where the n-grams know few of the words that were recognized."""
        words = [word for text in texts for word in self._words_of(text)]
        known = sum(word in self._known for word in words)
        if known < _LEAST_KNOWN * len(words):
            console.notice(
                f"The language model knows {known:,} of the {len(words):,} words recognized: it is "
                "of another domain, language or script."
            )
