"""Prefix beam search over CTC's probabilities, with a language model of words.

Hannun et al. 2014 (arXiv 1408.2873), algorithm 1. What a prefix is worth is the probability
of all its alignments, times the language model's to a power, times a bonus for each word.

Most of what a frame could add to a prefix can but lose: prefixes and a frame's labels are both
ranked, and left as soon as the best that is possible is less than what the last prefix of the beam
has. The language model is asked of what is left alone. Nothing is lost by either.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

import numpy as np

from mynah.models.ctc.likely_labels import Frame, likely_labels
from mynah.models.fusion.scorer import Scorer, State

_ROUNDING = 1e-6  # nats by which the logarithm of a product may differ from the sum of logarithms
# Probabilities are scaled up before they vanish, by a power of two, which changes no digit.
_SMALL, _SCALE = 2.0**-300, 2.0**300
_LOG_SCALE = 300 * math.log(2.0)


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
    beam = _Beam(beam_size, log_probabilities.shape[1], scorer)
    for frame in likely_labels(log_probabilities, blank=blank, written=written):
        beam.advance(frame)
    return beam.best()


class _Prefixes:
    """Label sequences that were in the beam, each known by its number: 0 is that of no label.

    They are numbers in lists, since Python's garbage collection looks again and again at objects.

    Attributes:
        before: By number: that of the sequence without its last label.
        label: The last label.
        state: Where it is in the scorer.
        worth: What the scorer gave for all its labels, in nats.
        place: Where it is in the beam; -1: nowhere.
    """

    def __init__(self, labels: int, scorer: Scorer | None) -> None:
        self._labels = labels
        self._scorer = scorer
        self._children: dict[int, int] = {}
        self.before = [0]
        self.label = [-1]
        self.state: list[State] = [0 if scorer is None else scorer.start()]
        self.worth = [0.0]
        self.place = [0]

    def child(self, prefix: int, label: int) -> int | None:
        """The number of a sequence with one label more, if it was in the beam."""
        return self._children.get(prefix * self._labels + label)

    def add(self, prefix: int, label: int, state: State, worth: float) -> int:
        """Its number from now on."""
        number = self._children[prefix * self._labels + label] = len(self.before)
        self.before.append(prefix)
        self.label.append(label)
        self.state.append(state)
        self.worth.append(worth)
        self.place.append(-1)
        return number

    def step(self, prefix: int, label: int) -> tuple[State, float]:
        """Where a label leads in the scorer, and the worth of the prefix with it."""
        if self._scorer is None:
            return 0, 0.0
        state, worth = self._scorer.step(self.state[prefix], label)
        return state, self.worth[prefix] + worth

    def labels(self, prefix: int) -> list[int]:
        found = []
        while prefix:
            found.append(self.label[prefix])
            prefix = self.before[prefix]
        return found[::-1]


# A prefix's score, by which it is ranked; of equals the first comes first; the prefix; the
# probability of its alignments that end in the blank, and in its label.
_Ranked = tuple[float, int, int, float, float]


class _Beam:
    """The prefixes that are kept, the best first, as lists.

    The probability of a prefix is the sum over all its alignments, scaled as that of the others,
    and its score the logarithm of that with its worth.
    """

    def __init__(self, size: int, labels: int, scorer: Scorer | None) -> None:
        self._size = size
        self._scorer = scorer
        self._gain = _ROUNDING + (0.0 if scorer is None else scorer.most)
        self._prefixes = _Prefixes(labels, scorer)
        self._numbers = [0]
        self._scores = [0.0]
        self._totals = [1.0]
        self._blanks = [1.0]
        self._lasts = [0.0]

    def advance(self, frame: Frame) -> None:
        """Go one frame on."""
        if frame.after_silence:
            self._blanks = list(self._totals)
            self._lasts = [0.0] * len(self._totals)
        ranked = self._as_they_are(frame)
        self._lengthen(frame, ranked)
        ranked.sort(reverse=True)
        self._keep(ranked[: self._size])

    def _as_they_are(self, frame: Frame) -> list[_Ranked]:
        """The prefixes of the beam with this frame: the blank, their own label again, and that
        label said for the first time after the prefix before it."""
        blank, probabilities = frame.blank, {label: one for label, one, _ in frame.labels}
        known, log = self._prefixes, math.log
        own_labels, worths = known.label, known.worth
        ranked: list[_Ranked] = []
        for place, number in enumerate(self._numbers):
            total = blanks = self._totals[place] * blank
            lasts = 0.0
            probability = probabilities.get(own_labels[number])
            if probability is not None:
                lasts = self._lasts[place] * probability
                before = known.before[number]
                there = known.place[before]
                if there >= 0:
                    alike = own_labels[before] == own_labels[number]
                    lasts += (self._blanks if alike else self._totals)[there] * probability
                total += lasts
            if total > 0.0:
                ranked.append((log(total) + worths[number], -place, number, blanks, lasts))
        return ranked

    def _lengthen(self, frame: Frame, ranked: list[_Ranked]) -> None:
        """Add the prefixes with one label more that stay."""
        is_full, gain = len(ranked) >= self._size, self._gain
        kept = [one[0] for one in ranked]
        least = min(kept) if is_full else -math.inf
        longer = self._possible(frame, least)
        if not longer:
            return
        known, log = self._prefixes, math.log
        heapq.heapify(kept)
        for bound, place, label, probability in longer:
            if bound + gain < least:
                break
            prefix = self._numbers[place]
            child = known.child(prefix, label)
            if child is None:
                state, worth = known.step(prefix, label)
            elif known.place[child] < 0:
                worth = known.worth[child]
            else:
                continue
            is_again = label == known.label[prefix]
            added = (self._blanks if is_again else self._totals)[place] * probability
            if added <= 0.0 or (score := log(added) + worth) <= least:
                continue
            if child is None:
                child = known.add(prefix, label, state, worth)
            ranked.append((score, -len(ranked), child, 0.0, added))
            if is_full:
                heapq.heapreplace(kept, score)
            else:
                heapq.heappush(kept, score)
                is_full = len(kept) >= self._size
            least = kept[0] if is_full else least

    def _possible(self, frame: Frame, least: float) -> list[tuple[float, int, int, float]]:
        """What may come to a score: at most which without the scorer, the place of the prefix, and
        the label with its probability; the best first."""
        labels, gain = frame.labels, self._gain
        highest = labels[0][2]
        found = []
        for place, score in enumerate(self._scores):
            needed = least - score - gain
            if highest < needed:
                break
            for label, probability, log_probability in labels:
                if log_probability < needed:
                    break
                found.append((score + log_probability, place, label, probability))
        found.sort(reverse=True)
        return found

    def _keep(self, ranked: list[_Ranked]) -> None:
        """Make these the beam."""
        place_of = self._prefixes.place
        for number in self._numbers:
            place_of[number] = -1
        self._scores = [one[0] for one in ranked]
        self._numbers = [one[2] for one in ranked]
        self._blanks = [one[3] for one in ranked]
        self._lasts = [one[4] for one in ranked]
        self._totals = [one[3] + one[4] for one in ranked]
        for place, number in enumerate(self._numbers):
            place_of[number] = place
        if max(self._totals) < _SMALL:
            self._scores = [one + _LOG_SCALE for one in self._scores]
            self._blanks = [one * _SCALE for one in self._blanks]
            self._lasts = [one * _SCALE for one in self._lasts]
            self._totals = [one * _SCALE for one in self._totals]

    def best(self) -> list[int]:
        """The labels of the most worthy prefix, the end of the utterance included."""
        states = self._prefixes.state
        worths = [
            score + (0.0 if self._scorer is None else self._scorer.finish(states[number]))
            for number, score in zip(self._numbers, self._scores, strict=True)
        ]
        return self._prefixes.labels(self._numbers[worths.index(max(worths))])
