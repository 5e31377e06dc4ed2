"""Prefix beam search over CTC's probabilities, with a language model of words.

Hannun et al. 2014 (arXiv 1408.2873), algorithm 1. What a prefix is worth is the probability
of all its alignments, times the language model's to a power, times a bonus for each word.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from mynah.models.ctc.arpa import Context
from mynah.models.ctc.hot_words import BEGIN, HotWords, PhraseProgress
from mynah.models.ctc.word_ngrams import SENTENCE_END, WordNgrams

_SURE_BLANK = 0.9995  # above it a frame says nothing
_LEAST_LOG_PROBABILITY = -7.0  # of a label that a frame may add ...
_MOST_LABELS = 8  # ... and at most so many, the likeliest
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


class _Prefix:
    """Labels said so far, as the last one and what came before."""

    __slots__ = ("before", "children", "label", "state", "worth")

    def __init__(
        self, before: _Prefix | None, label: int, state: State | None, worth: float
    ) -> None:
        self.before = before
        self.label = label
        self.state = state
        self.worth = worth
        self.children: dict[int, _Prefix] = {}

    def child(self, label: int, scorer: Scorer | None) -> _Prefix:
        found = self.children.get(label)
        if found is None:
            state, worth = None, 0.0
            if scorer is not None:
                assert self.state is not None
                state, worth = scorer.step(self.state, label)
            found = _Prefix(self, label, state, self.worth + worth)
            self.children[label] = found
        return found

    def labels(self) -> list[int]:
        prefix: _Prefix | None = self
        found: list[int] = []
        while prefix is not None and prefix.before is not None:
            found.append(prefix.label)
            prefix = prefix.before
        return found[::-1]


def search(
    log_probabilities: np.ndarray,
    *,
    blank: int,
    beam_size: int,
    scorer: Scorer | None = None,
    written: Sequence[int] | None = None,
) -> list[int]:
    """The labels of the most worthy prefix of those that stayed in the beam.

    Args:
        log_probabilities: Of each label at each frame, float [frames, labels].
        blank: The label that writes nothing and parts equal ones.
        beam_size: Prefixes that are kept from frame to frame.
        scorer: A language model, or None for the probability alone.
        written: Labels that a transcript can have, without a tokenizer's special ones; None
            for all.
    """
    root = _Prefix(None, -1, scorer.start() if scorer else None, 0.0)
    # A prefix, and the probabilities that its alignments end in the blank and in its label,
    # divided at each frame by the largest so that they never vanish.
    beam = [(root, 1.0, 0.0)]
    for blank_probability, labels in _frames(log_probabilities, blank, written):
        if not labels:
            beam = [(prefix, blanks + lasts, 0.0) for prefix, blanks, lasts in beam]
            continue
        beam = _advance(beam, blank_probability, labels, beam_size, scorer)

    def worth(one: tuple[_Prefix, float, float]) -> float:
        prefix, blanks, lasts = one
        found = math.log(blanks + lasts) + prefix.worth
        if scorer is not None and prefix.state is not None:
            found += scorer.finish(prefix.state)
        return found

    return max(beam, key=worth)[0].labels()


_Beam = list[tuple[_Prefix, float, float]]


def _advance(
    beam: _Beam,
    blank_probability: float,
    labels: list[tuple[int, float]],
    beam_size: int,
    scorer: Scorer | None,
) -> _Beam:
    """The beam one frame on."""
    found: dict[_Prefix, list[float]] = {}
    for prefix, blanks, lasts in beam:
        found[prefix] = [(blanks + lasts) * blank_probability, 0.0]
    longer: list[tuple[float, int, _Prefix, int, float]] = []
    for prefix, blanks, lasts in beam:
        for label, probability in labels:
            if label == prefix.label:
                found[prefix][1] += lasts * probability
                added = blanks * probability
            else:
                added = (blanks + lasts) * probability
            other = found.get(prefix.children.get(label))  # type: ignore[arg-type]
            if other is not None:
                other[1] += added
            elif added > 0.0:
                longer.append((math.log(added) + prefix.worth, len(longer), prefix, label, added))
    scores = [
        math.log(total) + prefix.worth
        for prefix, (blanks, lasts) in found.items()
        if (total := blanks + lasts) > 0.0
    ]
    # A model is asked only of prefixes that can still get in: most steps can but lose.
    gain = scorer.most if scorer is not None else 0.0
    heapq.heapify(scores)
    longer.sort(reverse=True)
    for score, _, prefix, label, added in longer:
        if len(scores) >= beam_size and score + gain < scores[0]:
            break
        child = prefix.child(label, scorer)
        found[child] = [0.0, added]
        heapq.heappush(scores, math.log(added) + child.worth)
        if len(scores) > beam_size:
            heapq.heappop(scores)
    ranked = [
        (math.log(total) + prefix.worth, prefix, pair)
        for prefix, pair in found.items()
        if (total := pair[0] + pair[1]) > 0.0
    ]
    kept = heapq.nlargest(beam_size, ranked, key=lambda one: one[0])
    largest = max(pair[0] + pair[1] for _, _, pair in kept)
    return [(prefix, pair[0] / largest, pair[1] / largest) for _, prefix, pair in kept]


def _frames(
    log_probabilities: np.ndarray, blank: int, written: Sequence[int] | None
) -> list[tuple[float, list[tuple[int, float]]]]:
    """Each frame's probability of the blank and of its likely labels; none where it is blank."""
    values = np.array(log_probabilities, dtype=np.float64)
    blanks = np.exp(values[:, blank])
    values[:, blank] = -np.inf
    if written is not None:
        values[:, np.setdiff1d(np.arange(values.shape[1]), written)] = -np.inf
    order = np.argsort(-values, axis=-1, kind="stable")[:, :_MOST_LABELS]
    likely = np.take_along_axis(values, order, axis=-1)
    frames = []
    for probability, labels, scores in zip(
        blanks.tolist(), order.tolist(), likely.tolist(), strict=True
    ):
        pairs = []
        if probability < _SURE_BLANK:
            pairs = [
                (label, math.exp(score))
                for position, (label, score) in enumerate(zip(labels, scores, strict=True))
                if score > _LEAST_LOG_PROBABILITY or (position == 0 and score > -math.inf)
            ]
        frames.append((probability, pairs))
    return frames
