"""Beam search of transducers, many utterances at a time, joined by n-grams and hot words.

Alignment-length synchronous decoding (Saon et al. 2020, "Alignment-length synchronous decoding for
RNN transducer"): each step lengthens every hypothesis by one label or blank, so that those that are
compared have taken as many steps. Alignments of the same labels that come to the same frame are one
hypothesis, whose probability is their sum. With a beam of one and nothing that joins it is greedy.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from mynah.models.fusion.prefix import Prefix
from mynah.models.fusion.scorer import Scorer
from mynah.models.text.word_times import Path
from mynah.models.transducer.next_steps import Choices, Lasting, NextSteps
from mynah.stopping.polling import poll


@dataclass(frozen=True)
class Hypothesis:
    """What one utterance may say.

    Attributes:
        path: Its labels with the frames of their likeliest alignment; its log probability is that
            of all alignments that stayed in the beam.
        worth: What the scorer gives for them and their end, and dividing out the model's own
            probability of labels does, in nats; 0 without either.
    """

    path: Path
    worth: float

    @property
    def score(self) -> float:
        """By which hypotheses are compared."""
        return self.path.log_probability + self.worth


def search(
    model: Any,
    encoded: torch.Tensor,
    frames: torch.Tensor,
    *,
    blank: int,
    durations: Sequence[int] = (),
    max_symbols: int,
    beam_size: int,
    scorer: Scorer | None = None,
    written: Sequence[int] | None = None,
    internal_weight: float = 0.0,
) -> list[list[Hypothesis]]:
    """The hypotheses of each utterance that came to its end, the best first, at least one.

    Args:
        model: Has ``decoder`` (embedding, LSTM, projector) and ``joint``, as transformers'
            transducers do.
        encoded: Projected encoder frames, [batch, time, width].
        frames: Frames of each utterance, [batch].
        blank: Token id of the blank, which is also the prediction network's first input.
        durations: Frames that each of the durations stands for; empty for an RNN-T. A blank that
            lasts none is one that lasts a frame, as in greedy decoding.
        max_symbols: Labels at one frame, after which the next frame comes.
        beam_size: Hypotheses that are kept from step to step.
        scorer: What joins, or None for the probability alone.
        written: Labels that a transcript can have; None for all.
        internal_weight: The power of the model's own probability of labels, without any sound,
            that is divided out.
    """
    beams = [
        _Beam(row, length, beam_size, max_symbols, scorer)
        for row, length in enumerate(frames.tolist())
    ]
    steps = NextSteps(
        model,
        encoded,
        blank=blank,
        durations=durations,
        written=written,
        internal_weight=internal_weight,
    )
    while places := [(row, one) for row, beam in enumerate(beams) for one in beam.active]:
        poll()
        choices = steps.choices(
            [row for row, _ in places],
            times=[one.time for _, one in places],
            came=[one.row for _, one in places],
            added={
                place: one.prefix.label for place, (_, one) in enumerate(places) if one.is_longer
            },
        )
        for place, (_, one) in enumerate(places):
            one.row = place
        for beam in beams:
            beam.advance([next(choices) for _ in beam.active])
    return [beam.ended() for beam in beams]


class _Label:
    """The latest label of an alignment, with those before it.

    Attributes:
        before: The label before, or None.
        span: Its first frame, and the one behind its last.
        score: Its log probability.
    """

    __slots__ = ("before", "score", "span")

    def __init__(self, before: _Label | None, span: tuple[int, int], score: float) -> None:
        self.before = before
        self.span = span
        self.score = score


class _Open:
    """Alignments of the same labels that have come to the same frame.

    Attributes:
        prefix: The labels.
        time: The frame that is read next.
        score: Log probability of all of them.
        symbols: Labels at this frame, of the alignment with the fewest.
        latest: The latest label of the likeliest alignment.
        likeliest: The log probability of that one.
        row: Where what it comes from stands among the hypotheses of the step before.
        is_longer: Whether its last label was added by this step.
    """

    __slots__ = ("is_longer", "latest", "likeliest", "prefix", "row", "score", "symbols", "time")

    def __init__(
        self,
        prefix: Prefix,
        time: int,
        score: float,
        latest: _Label | None = None,
        *,
        symbols: int = 0,
        row: int = 0,
        is_longer: bool = False,
    ) -> None:
        self.prefix = prefix
        self.time = time
        self.score = self.likeliest = score
        self.symbols = symbols
        self.latest = latest
        self.row = row
        self.is_longer = is_longer

    @property
    def rank(self) -> float:
        return self.score + self.prefix.worth

    def take(self, other: _Open) -> None:
        """Add alignments of the same labels."""
        if other.likeliest > self.likeliest:
            self.latest, self.likeliest = other.latest, other.likeliest
        self.symbols = min(self.symbols, other.symbols)
        more, less = max(self.score, other.score), min(self.score, other.score)
        self.score = more + math.log1p(math.exp(less - more)) if less > -math.inf else more


class _Step(NamedTuple):
    """A label that joins a hypothesis.

    Attributes:
        one: The hypothesis.
        label: The label.
        likely: Its log probability.
        beside: What it is worth beside that and the scorer, in nats.
        lasting: Frames that it lasts, and that it advances by.
        score: The log probability of those.
    """

    one: _Open
    label: int
    likely: float
    beside: float
    lasting: Lasting
    score: float

    @property
    def jump(self) -> int:
        return self.lasting[1]


class _Beam:
    """The hypotheses of one utterance.

    Attributes:
        active: Those that have frames left.
    """

    def __init__(self, row: int, frames: int, size: int, most: int, scorer: Scorer | None) -> None:
        self._frames, self._size, self._most, self._scorer = frames, size, most, scorer
        self._gain = 0.0 if scorer is None else scorer.most
        root = Prefix(None, -1, None if scorer is None else scorer.start(), 0.0)
        self.active = [_Open(root, 0, 0.0, row=row)]
        self._ended: dict[Prefix, _Open] = {}
        if not frames:
            self._end()

    def advance(self, choices: Sequence[Choices]) -> None:
        """Take a step: ``choices`` are those of the active hypotheses in order."""
        found: dict[tuple[Prefix, int], _Open] = {}
        for one, choice in zip(self.active, choices, strict=True):
            for jump, score in choice.blanks:
                time = min(one.time + jump, self._frames)
                _add(found, _Open(one.prefix, time, one.score + score, one.latest, row=one.row))
        ranks = heapq.nlargest(self._size, (one.rank for one in found.values()))
        heapq.heapify(ranks)
        # A scorer is asked only of what can still get in: most steps can but lose.
        for rank, _, step in sorted(self._longer(choices, found, ranks), reverse=True):
            if len(ranks) >= self._size and rank + self._gain < ranks[0]:
                break
            reached = self._reached(
                step, step.one.prefix.child(step.label, self._scorer, step.beside)
            )
            _add(found, reached)
            heapq.heappush(ranks, reached.rank)
            if len(ranks) > self._size:
                heapq.heappop(ranks)
        self.active = heapq.nlargest(self._size, found.values(), key=lambda one: one.rank)
        self._end()

    def _longer(
        self,
        choices: Sequence[Choices],
        found: dict[tuple[Prefix, int], _Open],
        ranks: Sequence[float],
    ) -> Iterator[tuple[float, int, _Step]]:
        """Steps by a label that may get in, with what they are worth but for the scorer's gain, and
        a number of their own. What leads to a hypothesis that is found already is added to it."""
        number = 0
        least = ranks[0] - self._gain if len(ranks) >= self._size else -math.inf
        for one, choice in zip(self.active, choices, strict=True):
            for label, likely, beside in choice.labels:
                known = one.prefix.children.get(label)
                for lasting, score in choice.lasting:
                    step = _Step(one, label, likely, beside, lasting, score)
                    if known is not None and (known, self._time(step)) in found:
                        _add(found, self._reached(step, known))
                    elif (rank := one.rank + likely + beside + score) >= least:
                        number -= 1  # of equals the first one stays
                        yield rank, number, step

    def _symbols(self, step: _Step) -> int:
        """Labels at its frame after a step; 0 where the next frame comes."""
        symbols = 0 if step.jump else step.one.symbols + 1
        return 0 if symbols >= self._most else symbols

    def _time(self, step: _Step) -> int:
        """The frame that a step leads to: the next one after as many labels as may be."""
        jump = step.jump or (0 if self._symbols(step) else 1)
        return min(step.one.time + jump, self._frames)

    def _reached(self, step: _Step, prefix: Prefix) -> _Open:
        one = step.one
        return _Open(
            prefix,
            self._time(step),
            one.score + step.likely + step.score,
            _Label(one.latest, (one.time, one.time + step.lasting[0]), step.likely),
            symbols=self._symbols(step),
            row=one.row,
            is_longer=True,
        )

    def _end(self) -> None:
        """Put aside what has come to the end, and drop what cannot be among the best of it."""
        going = []
        for one in self.active:
            if one.time < self._frames:
                going.append(one)
            elif (known := self._ended.get(one.prefix)) is not None:
                known.take(one)
            else:
                self._ended[one.prefix] = one
        if len(self._ended) >= self._size:
            least = heapq.nlargest(self._size, (one.rank for one in self._ended.values()))[-1]
            going = [one for one in going if one.rank >= least]
        self.active = going

    def ended(self) -> list[Hypothesis]:
        """The hypotheses that came to the end, the best first."""
        found = [self._hypothesis(one) for one in self._ended.values()]
        return sorted(found, key=lambda one: -one.score)

    def _hypothesis(self, one: _Open) -> Hypothesis:
        worth = one.prefix.worth
        if self._scorer is not None and one.prefix.state is not None:
            worth += self._scorer.finish(one.prefix.state)
        labels: list[_Label] = []
        label = one.latest
        while label is not None:
            labels.append(label)
            label = label.before
        labels.reverse()
        path = Path(
            tuple(one.prefix.labels()),
            tuple((label.span[0], min(label.span[1], self._frames)) for label in labels),
            one.score,
            tuple(label.score for label in labels),
        )
        return Hypothesis(path, worth)


def _add(found: dict[tuple[Prefix, int], _Open], one: _Open) -> None:
    known = found.setdefault((one.prefix, one.time), one)
    if known is not one:
        known.take(one)
