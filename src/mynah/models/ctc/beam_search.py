"""Prefix beam search over CTC's probabilities, with a language model of words.

Hannun et al. 2014 (arXiv 1408.2873), algorithm 1. What a prefix is worth is the probability
of all its alignments, times the language model's to a power, times a bonus for each word.

Most of what a frame could add to a prefix can but lose: prefixes and a frame's labels are both
ranked, and left as soon as the best that is possible is less than what the last prefix of the beam
has. The language model is asked of what is left alone. Nothing is lost by either; of what a window
leaves out, which is far from the best, something may be.
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
_IMPOSSIBLE = -1e300  # a score below which there is only that of no probability
_LOG_SCALE = 300 * math.log(2.0)


def search(
    log_probabilities: np.ndarray,
    *,
    blank: int,
    beam_size: int,
    scorer: Scorer | None = None,
    written: Sequence[int] | None = None,
    window: float = math.inf,
) -> list[int]:
    """The labels of the most worthy prefix of those that stayed in the beam.

    Args:
        log_probabilities: Of each label at each frame, float [frames, labels].
        blank: The label that writes nothing and parts equal ones.
        beam_size: Prefixes that are kept from frame to frame.
        scorer: A language model, or None for the probability alone.
        written: Labels that a transcript can have, without a tokenizer's special ones; None
            for all.
        window: Nats by which a prefix that is kept may be worth less than the best one.
    """
    beam = _Beam(beam_size, log_probabilities.shape[1], scorer, window)
    for frame in likely_labels(log_probabilities, blank=blank, written=written):
        beam.advance(frame)
    return beam.best()


class _Prefixes:
    """Label sequences that were in the beam, each known by its number: 0 is that of no label.

    They are numbers in lists, since Python's garbage collection looks again and again at objects.

    Attributes:
        labels: How many labels there are.
        children: Numbers of sequences, by that without the last label, times ``labels``, and that.
        before: By number: that of the sequence without its last label.
        label: The last label.
        state: Where it is in the scorer.
        worth: What the scorer gave for all its labels, in nats.
        place: Where it is in the beam; -1: nowhere.
    """

    def __init__(self, labels: int, state: State) -> None:
        self.labels = labels
        self.children: dict[int, int] = {}
        self.before = [0]
        self.label = [-1]
        self.state = [state]
        self.worth = [0.0]
        self.place = [0]

    def add(self, key: int, state: State, worth: float) -> int:
        """The number of a sequence from now on, by its place among the children."""
        number = self.children[key] = len(self.before)
        before, label = divmod(key, self.labels)
        self.before.append(before)
        self.label.append(label)
        self.state.append(state)
        self.worth.append(worth)
        self.place.append(-1)
        return number

    def written(self, number: int) -> list[int]:
        """The labels of a sequence."""
        found = []
        while number:
            found.append(self.label[number])
            number = self.before[number]
        return found[::-1]


# A prefix's score, by which it is ranked; of equals the first comes first; its number, or if it
# is new its place among those less the number of them; the probability of its alignments that end
# in the blank, and in its label.
_Ranked = tuple[float, int, int, float, float]
# A prefix that is new: its place among the children, its state and worth.
_New = tuple[int, State, float]


class _Beam:
    """The prefixes that are kept, the best first, as lists.

    The probability of a prefix is the sum over all its alignments, scaled as that of the others,
    and its score the logarithm of that with its worth.
    """

    def __init__(self, size: int, labels: int, scorer: Scorer | None, window: float) -> None:
        self._size = size
        self._window = window
        self._scorer = scorer
        self._gain = _ROUNDING + (0.0 if scorer is None else scorer.most)
        self._prefixes = _Prefixes(labels, 0 if scorer is None else scorer.start())
        self._numbers = [0]
        self._scores = [0.0]
        self._totals = [1.0]
        self._blanks = [1.0]
        self._lasts = [0.0]

    def advance(self, frame: Frame) -> None:
        """Go one frame on."""
        if frame.after_silence:
            self._blanks = self._totals.copy()
            self._lasts = [0.0] * len(self._totals)
        ranked = self._as_they_are(frame)
        new = self._lengthen(frame, ranked)
        ranked.sort(reverse=True)
        self._keep(ranked[: self._size], new)

    def _as_they_are(self, frame: Frame) -> list[_Ranked]:
        """The prefixes of the beam with this frame: the blank, their own label again, and that
        label said for the first time after the prefix before it."""
        blank = frame.blank
        log_blank = math.log(blank) if blank > 0.0 else -math.inf
        probabilities = {label: probability for label, probability, _ in frame.labels}
        known = self._prefixes
        own_labels = known.label
        ranked: list[_Ranked] = []
        kept = zip(self._numbers, self._scores, self._totals, strict=True)
        for place, (number, score, total) in enumerate(kept):
            own = own_labels[number]
            if own not in probabilities:
                ranked.append((score + log_blank, -place, number, total * blank, 0.0))
            else:
                probability = probabilities[own]
                blanks = total * blank
                lasts = self._lasts[place] * probability
                before = known.before[number]
                there = known.place[before]
                if there >= 0:
                    alike = own_labels[before] == own
                    lasts += (self._blanks if alike else self._totals)[there] * probability
                total = blanks + lasts
                score = math.log(total) + known.worth[number] if total > 0.0 else -math.inf
                ranked.append((score, -place, number, blanks, lasts))
        return ranked

    def _lengthen(self, frame: Frame, ranked: list[_Ranked]) -> list[_New]:
        """Add the prefixes with one label more that stay; those that are new."""
        kept = [one[0] for one in ranked]
        is_full, gain = len(kept) >= self._size, self._gain
        least = max(max(kept) - self._window, min(kept) if is_full else -math.inf)
        new: list[_New] = []
        longer = self._possible(frame, least)
        if not longer:
            return new
        known, log, numbers = self._prefixes, math.log, self._numbers
        own_labels, children, labels = known.label, known.children, known.labels
        heapq.heapify(kept)
        for bound, place, label, probability in longer:
            if bound + gain < least:
                break
            number = numbers[place]
            key = number * labels + label
            child = children.get(key)
            if child is None:
                state, worth = self._step(number, label)
            elif known.place[child] < 0:
                worth = known.worth[child]
            else:
                continue
            again = label == own_labels[number]
            added = (self._blanks if again else self._totals)[place] * probability
            if added <= 0.0 or (score := log(added) + worth) <= least:
                continue
            if child is None:
                new.append((key, state, worth))
                child = -len(new)
            ranked.append((score, -len(ranked), child, 0.0, added))
            if is_full:
                heapq.heapreplace(kept, score)
                if kept[0] > least:
                    least = kept[0]
            else:
                heapq.heappush(kept, score)
                is_full = len(kept) >= self._size
                if is_full and kept[0] > least:
                    least = kept[0]
        return new

    def _step(self, number: int, label: int) -> tuple[State, float]:
        """Where a label leads in the scorer, and the worth of the prefix with it."""
        if self._scorer is None:
            return 0, 0.0
        state, worth = self._scorer.step(self._prefixes.state[number], label)
        return state, self._prefixes.worth[number] + worth

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

    def _keep(self, ranked: list[_Ranked], new: list[_New]) -> None:
        """Make these the beam."""
        known = self._prefixes
        places = known.place
        for number in self._numbers:
            places[number] = -1
        least = max(ranked[0][0] - self._window, _IMPOSSIBLE)
        while ranked[-1][0] < least:
            ranked.pop()
        numbers, totals = [], []
        for place, (_, _, number, blanks, lasts) in enumerate(ranked):
            if number < 0:
                number = known.add(*new[-1 - number])
            places[number] = place
            numbers.append(number)
            totals.append(blanks + lasts)
        self._numbers, self._totals = numbers, totals
        self._scores = [one[0] for one in ranked]
        self._blanks = [one[3] for one in ranked]
        self._lasts = [one[4] for one in ranked]
        if max(totals) < _SMALL:
            self._scores = [one + _LOG_SCALE for one in self._scores]
            self._blanks = [one * _SCALE for one in self._blanks]
            self._lasts = [one * _SCALE for one in self._lasts]
            self._totals = [one * _SCALE for one in totals]

    def best(self) -> list[int]:
        """The labels of the most worthy prefix, the end of the utterance included."""
        states = self._prefixes.state
        worths = [
            score + (0.0 if self._scorer is None else self._scorer.finish(states[number]))
            for number, score in zip(self._numbers, self._scores, strict=True)
        ]
        return self._prefixes.written(self._numbers[worths.index(max(worths))])
