"""What a prefix of labels is worth beside its probability, label by label."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

from mynah.models.fusion.arpa import Context
from mynah.models.fusion.hot_words import BEGIN, HotWords, PhraseProgress
from mynah.models.fusion.word_ngrams import SENTENCE_END, WordNgrams

_MOST_STATES = 200_000  # remembered from one utterance to the next


class State:
    """Where a prefix is in its language model and its hot words, and where each label leads.

    Attributes:
        steps: For each label asked for before, the next state and what the label is worth.
    """

    __slots__ = ("history", "hot", "letters", "steps")

    def __init__(self, history: Context, letters: str, hot: PhraseProgress) -> None:
        self.history = history
        self.letters = letters
        self.hot = hot
        self.steps: dict[int, tuple[State, float]] = {}


class Scorer(Protocol):
    """What a prefix is worth beside its probability, in nats.

    Attributes:
        most: What no step is worth more than.
    """

    most: float

    def start(self) -> State: ...

    def step(self, state: State, label: int) -> tuple[State, float]: ...

    def finish(self, state: State) -> float: ...


class WordScorer:
    """A prefix's worth by a model of words, by hot words, or by both.

    A word that has only begun counts with the probability of all words that begin so, and its
    bonus; once it ends, with its own.

    Args:
        ngrams: The model of words, or None.
        pieces: The characters of each label, where a space begins another word.
        weight: The power that the model's probability is raised to.
        word_bonus: Nats for each word.
        hot: Words that are favoured, or None.
    """

    def __init__(
        self,
        ngrams: WordNgrams | None,
        pieces: Mapping[int, str],
        *,
        weight: float,
        word_bonus: float,
        hot: HotWords | None = None,
    ) -> None:
        self._ngrams = ngrams
        self._pieces = pieces
        self._weight = weight
        self._word_bonus = word_bonus
        words = max((len(written.split()) for written in pieces.values()), default=0)
        self.most = words * max(word_bonus, 0.0)
        self._hot = hot
        if hot is not None:
            longest = max((len(written) for written in pieces.values()), default=0)
            self.most += longest * max(hot.weight, 0.0)
        self._states: dict[tuple[Context, str, PhraseProgress], State] = {}

    def start(self) -> State:
        if len(self._states) > _MOST_STATES:
            self._states = {}
        return self._state(() if self._ngrams is None else self._ngrams.start, "", BEGIN)

    def step(self, state: State, label: int) -> tuple[State, float]:
        found = state.steps.get(label)
        if found is not None:
            return found
        worth = -self._worth(state.history, state.letters)
        history, letters, hot = state.history, state.letters, state.hot
        for character in self._pieces[label]:
            if self._hot is not None:
                hot, gained = self._hot.step(hot, character)
                worth += gained
            if character != " ":
                letters += character
            elif letters:
                worth += self._log(history, letters) + self._word_bonus
                history, letters = self._after(history, letters), ""
        worth += self._worth(history, letters)
        found = state.steps[label] = self._state(history, letters, hot), worth
        return found

    def finish(self, state: State) -> float:
        favoured = 0.0 if self._hot is None else self._hot.finish(state.hot)
        if self._ngrams is None:
            return favoured
        history, letters = state.history, state.letters
        worth = 0.0
        if letters:
            worth = math.log(self._ngrams.word(history, letters))
            worth -= math.log(self._ngrams.beginning(history, letters))
            history = self._ngrams.after(history, letters)
        worth += math.log(self._ngrams.word(history, SENTENCE_END))
        return favoured + self._weight * worth

    def _log(self, history: Context, word: str) -> float:
        """Of a word that has ended."""
        if self._ngrams is None:
            return 0.0
        return self._weight * math.log(self._ngrams.word(history, word))

    def _after(self, history: Context, word: str) -> Context:
        return () if self._ngrams is None else self._ngrams.after(history, word)

    def _worth(self, history: Context, letters: str) -> float:
        """Of a word that has begun."""
        if not letters:
            return 0.0
        if self._ngrams is None:
            return self._word_bonus
        return self._weight * math.log(self._ngrams.beginning(history, letters)) + self._word_bonus

    def _state(self, history: Context, letters: str, hot: PhraseProgress) -> State:
        if self._ngrams is None:
            letters = letters[:1]  # whether a word has begun is all that counts
        key = (history, letters, hot)
        found = self._states.get(key)
        if found is None:
            found = self._states[key] = State(history, letters, hot)
        return found
