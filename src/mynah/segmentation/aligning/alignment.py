"""Forced alignment: which frame of a recording says which word of its transcript.

Viterbi over the states of CTC (Graves et al. 2006), as in CTC-segmentation (Kürzinger et al.
2020, arXiv 2007.09127), with two ways out where audio and transcript disagree:

- between two words, before the first and after the last, any frame may be passed as
  something that the transcript does not have (a star), at a cost;
- any word may be left out as never spoken, at a cost for each of its labels.

The best path is exact. Memory does not grow with frames times labels: the forward pass keeps
the scores of one frame in some hundreds, and the way back computes the frames between two of
those again, for the few labels that the path can have passed there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

BETWEEN_WORDS = -1
INSIDE_WORD = -2

_BLOCK = 512  # frames between two kept frames
_STAY, _FROM_BLANK, _FROM_LABEL = 0, 1, 2


@dataclass(frozen=True)
class FrameScores:
    """Log posteriors of the frames of a recording, for those labels that its words have.

    Attributes:
        labels: float32 [frames, distinct labels].
        blank: float32 [frames]: that nothing new is said within a word.
        between: float32 [frames]: the frame as one between two words, whatever is said.
    """

    labels: np.ndarray
    blank: np.ndarray
    between: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Alignment:
    """The best path.

    Attributes:
        frames: int32 [frames]: the label said there, counted over all words;
            :data:`INSIDE_WORD` for a blank between two labels of a word;
            :data:`BETWEEN_WORDS` for anything else.
        scores: float32 [frames]: the log posterior of each frame's state.
        word_starts: int32 [words]: the frame of a word's first label; -1: left out.
        word_ends: int32 [words]: the frame after that of its last label; -1: left out.
        score: Sum of ``scores``, less the cost of the words left out.
    """

    frames: np.ndarray
    scores: np.ndarray
    word_starts: np.ndarray
    word_ends: np.ndarray
    score: float


def align(
    scores: FrameScores,
    words: Sequence[Sequence[int]],
    *,
    skip_cost: float = np.inf,
    block: int = _BLOCK,
    advance: Callable[[int], None] | None = None,
) -> Alignment | None:
    """The best path through ``words`` in their order.

    Args:
        scores: What the model says of each frame.
        words: For each word the columns of ``scores.labels`` that are its labels, at least one.
        skip_cost: Cost of leaving a word out, for each of its labels, in nats; infinite:
            every word was spoken.
        block: Frames between two whose scores are kept.
        advance: Called now and then with the number of frames done.

    Returns:
        The path; None where the frames are too few to say all words and none may be left out.
    """
    graph = _Graph.build(scores, words, skip_cost)
    kept: list[_State] = []
    state = graph.start()
    for first in range(0, len(scores), block):
        kept.append(state.copy())
        last = min(first + block, len(scores))
        for frame in range(first, last):
            graph.step(state, frame)
        if advance:
            advance(last - first)
    at_label = graph.labels > 0 and state.label[-1] > state.blank[-1]
    score = float(state.label[-1] if at_label else state.blank[-1])
    if score == -np.inf:
        return None
    path = np.empty(len(scores), dtype=np.int32)
    cursor = _Cursor(graph.labels - 1 if at_label else graph.labels, at_label, score)
    for number in range(len(kept) - 1, -1, -1):
        first = number * block
        last = min(first + block, len(scores))
        cursor = _trace(graph, kept.pop(), cursor, path, first, last)
    return _alignment(graph, scores, path, score)


@dataclass
class _State:
    """Best scores of all paths that end in a state: float64 [labels] and [labels + 1].

    Blank ``j`` comes before label ``j``; the last one comes after the last label.
    """

    label: np.ndarray
    blank: np.ndarray

    def copy(self) -> _State:
        return _State(self.label.copy(), self.blank.copy())


@dataclass(frozen=True)
class _Cursor:
    """Where the path is at the end of a block: label or blank number, and its score there."""

    number: int
    at_label: bool
    score: float


@dataclass(frozen=True)
class _Choices:
    """Where each state of a frame was come from."""

    label: np.ndarray  # uint8 [labels]
    blank_from_label: np.ndarray  # bool [labels + 1]
    skipped: np.ndarray  # bool [boundaries]: by leaving out the word before


class _Graph:
    """The states, or those of a range of labels, and one frame's step through them."""

    def __init__(
        self,
        scores: FrameScores,
        columns: np.ndarray,
        is_repeat: np.ndarray,
        boundaries: np.ndarray,
        skip_costs: np.ndarray | None,
    ) -> None:
        self.scores = scores
        self.columns = columns  # int64 [labels]
        self.is_repeat = is_repeat  # bool [labels]: the same label as the one before
        self.boundaries = boundaries  # int64: blanks that lie between words
        self.skip_costs = skip_costs  # float64 [boundaries]: of leaving out all words before
        self.labels = len(columns)
        self._repeats = np.flatnonzero(is_repeat[1:])
        self._from_blank = np.empty(self.labels)
        self._moved = np.empty(max(self.labels - 1, 0))

    @classmethod
    def build(cls, scores: FrameScores, words: Sequence[Sequence[int]], skip_cost: float) -> _Graph:
        lengths = np.fromiter(map(len, words), dtype=np.int64, count=len(words))
        columns = np.fromiter((one for word in words for one in word), dtype=np.int64)
        is_repeat = np.zeros(len(columns), dtype=bool)
        is_repeat[1:] = columns[1:] == columns[:-1]
        boundaries = np.concatenate([[0], np.cumsum(lengths)])
        costs = skip_cost * boundaries.astype(np.float64) if np.isfinite(skip_cost) else None
        return cls(scores, columns, is_repeat, boundaries, costs)

    def part(self, first: int, last: int) -> _Graph:
        """The states of labels ``first`` to ``last`` alone, as if nothing came before."""
        inside = slice(
            *np.searchsorted(self.boundaries, [first, last + 1])  # blanks first to last
        )
        return _Graph(
            self.scores,
            self.columns[first:last],
            self.is_repeat[first:last],
            self.boundaries[inside] - first,
            None if self.skip_costs is None else self.skip_costs[inside],
        )

    def start(self) -> _State:
        """Before the first frame: between words, in front of the first or of a later one."""
        state = _State(np.full(self.labels, -np.inf), np.full(self.labels + 1, -np.inf))
        state.blank[0] = 0.0
        self._skip(state.blank)
        return state

    def step(self, state: _State, frame: int) -> None:
        """The scores after one more frame, in place."""
        label, blank = state.label, state.blank
        np.maximum(label, blank[:-1], out=self._from_blank)
        if len(self._moved):
            np.copyto(self._moved, label[:-1])
            self._moved[self._repeats] = -np.inf
            np.maximum(self._from_blank[1:], self._moved, out=self._from_blank[1:])
        np.maximum(blank[1:], label, out=blank[1:])
        between = blank[self.boundaries] + self.scores.between[frame]
        blank += self.scores.blank[frame]
        blank[self.boundaries] = between
        self._skip(blank)
        np.add(self._from_blank, self.scores.labels[frame][self.columns], out=label)

    def choices(self, before: _State, frame: int) -> tuple[_State, _Choices]:
        """As :meth:`step`, and where each state was come from."""
        after = before.copy()
        stay, from_blank = before.label, before.blank[:-1]
        choice = np.where(from_blank > stay, _FROM_BLANK, _STAY).astype(np.uint8)
        best = np.maximum(stay, from_blank)
        moved = np.where(self.is_repeat[1:], -np.inf, before.label[:-1])
        choice[1:][moved > best[1:]] = _FROM_LABEL
        blank_from_label = np.zeros(self.labels + 1, dtype=bool)
        blank_from_label[1:] = before.label > before.blank[1:]
        self.step(after, frame)
        skipped = np.zeros(len(self.boundaries), dtype=bool)
        if self.skip_costs is not None:
            own = before.blank[self.boundaries]
            later = self.boundaries > 0
            own[later] = np.maximum(own[later], before.label[self.boundaries[later] - 1])
            skipped = after.blank[self.boundaries] > own + self.scores.between[frame]
        return after, _Choices(choice, blank_from_label, skipped)

    def _skip(self, blank: np.ndarray) -> None:
        """Let words be left out: from each place between words to every later one."""
        if self.skip_costs is None:
            return
        own = blank[self.boundaries]
        with_costs = own + self.skip_costs
        best = np.maximum.accumulate(with_costs)
        blank[self.boundaries] = np.where(best > with_costs, best - self.skip_costs, own)


def _trace(
    graph: _Graph, state: _State, cursor: _Cursor, path: np.ndarray, first: int, last: int
) -> _Cursor:
    """Write the path of the frames ``first`` to ``last`` and go to where it was before them.

    The states that the path can have passed are few, unless it left out a long text: where
    the scores of the few do not lead to the score that is known, more are taken.
    """
    end = cursor.number + 1 if cursor.at_label else cursor.number
    reach = last - first + 1
    while True:
        begin = max(0, end - reach)
        part = graph.part(begin, end)
        before = _State(state.label[begin:end].copy(), state.blank[begin : end + 1].copy())
        made: list[_Choices] = []
        for frame in range(first, last):
            before, choices = part.choices(before, frame)
            made.append(choices)
        reached = (before.label if cursor.at_label else before.blank)[cursor.number - begin]
        if reached == cursor.score or begin == 0:
            break
        reach *= 4
    number, at_label = cursor.number - begin, cursor.at_label
    for frame in range(last - 1, first - 1, -1):
        choices = made[frame - first]
        if at_label:
            path[frame] = begin + number
            choice = choices.label[number]
            at_label = choice != _FROM_BLANK
            number -= choice == _FROM_LABEL
            continue
        boundary = int(np.searchsorted(part.boundaries, number))
        if boundary < len(part.boundaries) and part.boundaries[boundary] == number:
            path[frame] = BETWEEN_WORDS
            while choices.skipped[boundary]:
                boundary -= 1
            number = int(part.boundaries[boundary])
        else:
            path[frame] = INSIDE_WORD
        if choices.blank_from_label[number]:
            number, at_label = number - 1, True
    score = (state.label if at_label else state.blank)[begin + number]
    return _Cursor(begin + number, at_label, float(score))


def _alignment(graph: _Graph, scores: FrameScores, path: np.ndarray, score: float) -> Alignment:
    """What a path means for words and frames."""
    said = np.flatnonzero(path >= 0)
    frame_scores = np.where(path == BETWEEN_WORDS, scores.between, scores.blank)
    frame_scores[said] = scores.labels[said, graph.columns[path[said]]]
    first = np.full(graph.labels, -1, dtype=np.int32)
    end = np.full(graph.labels, -1, dtype=np.int32)
    first[path[said[::-1]]] = said[::-1]
    end[path[said]] = said + 1
    return Alignment(
        path,
        frame_scores.astype(np.float32),
        first[graph.boundaries[:-1]],
        end[graph.boundaries[1:] - 1],
        score,
    )
