"""What a prefix of labels is worth beside its probability, label by label."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Protocol

from mynah.models.fusion.arpa import Context
from mynah.models.fusion.hot_words import BEGIN, HotWords, PhraseProgress
from mynah.models.fusion.word_ngrams import SENTENCE_END, WordNgrams

_MOST_STATES = 200_000  # remembered from one utterance to the next

# Where a prefix is in its language model and its hot words: a number of the scorer's own.
State = int


class Scorer(Protocol):
    """What a prefix is worth beside its probability, in nats.

    Attributes:
        most: What no step is worth more than.
    """

    most: float

    def start(self) -> State:
        """The state of no label, at the beginning of an utterance."""

    def step(self, state: State, label: int) -> tuple[State, float]:
        """Where a label leads, and what it is worth."""

    def finish(self, state: State) -> float:
        """What the end of the utterance is worth."""


class WordScorer:
    """A prefix's worth by a model of words, by hot words, or by both.

    A word that has only begun counts with the probability of all words that begin so, and its
    bonus; once it ends, with its own. What was asked for once is remembered, as numbers that
    Python's garbage collection need not look at.

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
        self._labels = max(pieces, default=0) + 1
        self._weight = weight
        self._word_bonus = word_bonus
        words = max((len(written.split()) for written in pieces.values()), default=0)
        self.most = words * max(word_bonus, 0.0)
        self._hot = hot
        if hot is not None:
            longest = max((len(written) for written in pieces.values()), default=0)
            self.most += longest * max(hot.weight, 0.0)
        self._steps: dict[int, tuple[State, float]] = {}  # by state * labels + label
        self._states: dict[tuple[Context, str, int], State] = {}
        # By state: its history, the letters of the word that has begun, and the worth of those.
        self._known: list[tuple[Context, str, int]] = []
        self._begun: list[float] = []
        self._ends: dict[State, float] = {}
        self._progresses = [BEGIN]
        self._progress_numbers: dict[PhraseProgress, int] = {BEGIN: 0}
        self._hot_steps: dict[tuple[int, str], tuple[int, float]] = {}
        self._lock = threading.Lock()  # a state gets its number once

    @property
    def is_full(self) -> bool:
        """Whether it remembers so much that the next utterance should have a new one."""
        return len(self._known) > _MOST_STATES

    def start(self) -> State:
        with self._lock:
            return self._state(() if self._ngrams is None else self._ngrams.start, "", 0)

    def step(self, state: State, label: int) -> tuple[State, float]:
        key = state * self._labels + label
        found = self._steps.get(key)
        if found is None:
            with self._lock:
                found = self._steps[key] = self._step(state, label)
        return found

    def _step(self, state: State, label: int) -> tuple[State, float]:
        worth = -self._begun[state]
        history, letters, hot = self._known[state]
        for character in self._pieces[label]:
            if self._hot is not None:
                hot, gained = self._hot_steps.get((hot, character)) or self._hot_step(
                    hot, character
                )
                worth += gained
            if character != " ":
                letters += character
            elif letters:
                worth += self._log(history, letters) + self._word_bonus
                history, letters = self._after(history, letters), ""
        after = self._state(history, letters, hot)
        return after, worth + self._begun[after]

    def _hot_step(self, progress: int, character: str) -> tuple[int, float]:
        """Where a character leads in the hot words, by number, and what it is worth."""
        assert self._hot is not None
        after, gained = self._hot.step(self._progresses[progress], character)
        number = self._progress_numbers.setdefault(after, len(self._progresses))
        if number == len(self._progresses):
            self._progresses.append(after)
        found = self._hot_steps[progress, character] = number, gained
        return found

    def finish(self, state: State) -> float:
        found = self._ends.get(state)
        if found is None:
            found = self._ends[state] = self._finish(*self._known[state])
        return found

    def _finish(self, history: Context, letters: str, hot: int) -> float:
        favoured = 0.0 if self._hot is None else self._hot.finish(self._progresses[hot])
        if self._ngrams is None:
            return favoured
        worth = 0.0
        if letters:
            worth = self._ngrams.log_word(history, letters)
            worth -= self._ngrams.log_beginning(history, letters)
            history = self._ngrams.after(history, letters)
        worth += self._ngrams.log_word(history, SENTENCE_END)
        return favoured + self._weight * worth

    def _log(self, history: Context, word: str) -> float:
        """Of a word that has ended."""
        if self._ngrams is None:
            return 0.0
        return self._weight * self._ngrams.log_word(history, word)

    def _after(self, history: Context, word: str) -> Context:
        return () if self._ngrams is None else self._ngrams.after(history, word)

    def _worth(self, history: Context, letters: str) -> float:
        """Of a word that has begun."""
        if not letters:
            return 0.0
        if self._ngrams is None:
            return self._word_bonus
        return self._weight * self._ngrams.log_beginning(history, letters) + self._word_bonus

    def _state(self, history: Context, letters: str, hot: int) -> State:
        if self._ngrams is None:
            letters = letters[:1]  # whether a word has begun is all that counts
        key = (history, letters, hot)
        found = self._states.get(key)
        if found is None:
            found = self._states[key] = len(self._known)
            self._known.append(key)
            self._begun.append(self._worth(history, letters))
        return found
