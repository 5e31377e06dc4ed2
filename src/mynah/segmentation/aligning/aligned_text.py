"""From a transcript and what a model recognized to utterances."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mynah.segmentation import utterance as reasons
from mynah.segmentation.aligning.alignment import BETWEEN_WORDS, Alignment, align
from mynah.segmentation.aligning.labels import WordLabels
from mynah.segmentation.aligning.posteriors import FrameStretch
from mynah.segmentation.aligning.scoring import AgreementScores
from mynah.segmentation.cutting import Cut, Lengths, choose_cuts
from mynah.segmentation.pauses import Pause, PauseRule, pauses_between
from mynah.segmentation.transcript import WrittenTranscript
from mynah.segmentation.utterance import CutUtterance

# A model that mishears so much text says nothing of the rest either.
_MOST_HIDDEN_LABELS = 16
_SHOWN_WORDS = 8  # of those that a reason names

Turn = tuple[float, float, str]  # start and end in seconds of the recording, and who speaks


@dataclass(frozen=True)
class Rules:
    """What makes an utterance good.

    Attributes:
        least_score: Utterances with a lower score are rejected.
        lengths: The lengths they may have.
        pause: What counts as a pause.
        skip_cost: Cost of a word that was never spoken, for each of its labels, in nats.
        star_cost: Cost of a frame that the transcript does not have, in nats.
    """

    least_score: float = -1.2
    lengths: Lengths = Lengths()
    pause: PauseRule = PauseRule()
    skip_cost: float = 3.0
    star_cost: float = 2.0


def used_labels(word_labels: Sequence[WordLabels]) -> list[int]:
    """The labels whose posteriors the alignment needs."""
    return sorted({label for word_labels in word_labels for label in word_labels.labels})


def utterances(
    transcript: WrittenTranscript,
    word_labels: Sequence[WordLabels],
    stretch: FrameStretch,
    rules: Rules,
    channels_of: Callable[[Sequence[Turn]], Mapping[str, int]] = lambda turns: {},
) -> list[CutUtterance]:
    """Align a transcript, cut it at pauses, and score what comes out; in order, all words.

    Where speakers are on channels of their own, no utterance has words of two channels.

    Args:
        transcript: The transcript of all that was said, and perhaps of more.
        word_labels: The word_labels of each of its words.
        stretch: The model's posteriors, with :func:`used_labels` as its columns.
        rules: What makes an utterance good.
        channels_of: The channel of each speaker, from their turns; empty where it is not known.
    """
    found = _AlignedText.align(transcript, word_labels, stretch, rules)
    channel_of = channels_of(found.turns())
    channels = [channel_of.get(word.speaker) for word in transcript.words]
    changes = {
        number + 1
        for number, (one, other) in enumerate(itertools.pairwise(channels))
        if one != other
    }
    cuts = found.cuts(changes)
    return [
        replace(found.utterance(first, last, cuts), channel=channels[first])
        for first, last in choose_cuts(cuts, rules.lengths, found.is_bad(cuts), changes)
    ]


def scored(
    transcript: WrittenTranscript,
    word_labels: Sequence[WordLabels],
    stretch: FrameStretch,
    rules: Rules,
) -> CutUtterance:
    """The one utterance of a stretch whose beginning and end are known already."""
    found = _AlignedText.align(transcript, word_labels, stretch, rules)
    cuts: list[Cut | None] = [None] * (len(transcript.words) + 1)
    cuts[0], cuts[-1] = Cut(0.0, 0.0), Cut(found.seconds, found.seconds)
    return found.utterance(0, len(transcript.words), cuts)


class _AlignedText:
    """The words of a transcript on the frames of a recording."""

    def __init__(
        self,
        transcript: WrittenTranscript,
        word_labels: Sequence[WordLabels],
        stretch: FrameStretch,
        alignment: Alignment,
        rules: Rules,
    ) -> None:
        self._transcript = transcript
        self._stretch = stretch
        self._rules = rules
        self._word_labels = word_labels
        between = alignment.frames == BETWEEN_WORDS
        self._silent = ~stretch.passed_over
        self._scores = AgreementScores(
            alignment.scores, between & stretch.passed_over, stretch.frame_seconds
        )
        # Of each word its first frame and the one after its last; -1 where it was not recognized.
        self._starts = np.full(len(word_labels), -1, dtype=np.int64)
        self._ends = np.full(len(word_labels), -1, dtype=np.int64)
        covered = [number for number, one in enumerate(word_labels) if one.is_covered]
        self._starts[covered] = alignment.word_starts
        self._ends[covered] = alignment.word_ends
        self._missing_before = np.concatenate([[0], np.cumsum(self._starts < 0)])
        self.seconds = len(stretch.scores) * stretch.frame_seconds

    @classmethod
    def align(
        cls,
        transcript: WrittenTranscript,
        word_labels: Sequence[WordLabels],
        stretch: FrameStretch,
        rules: Rules,
    ) -> _AlignedText:
        column = {label: number for number, label in enumerate(used_labels(word_labels))}
        words = [[column[one] for one in each.labels] for each in word_labels if each.is_covered]
        alignment = align(stretch.scores, words, skip_cost=rules.skip_cost)
        assert alignment is not None  # words may be left out, so there always is a path
        return cls(transcript, word_labels, stretch, alignment, rules)

    def turns(self) -> list[Turn]:
        """Where words of one speaker follow each other, as far as they were recognized."""
        made: list[Turn] = []
        words = [(n, one.speaker) for n, one in enumerate(self._transcript.words)]
        there = ((n, speaker) for n, speaker in words if self._starts[n] >= 0)
        for speaker, group in itertools.groupby(there, key=lambda word: word[1]):
            numbers = [number for number, _ in group]
            origin = self._stretch.start_seconds
            start, end = int(self._starts[numbers[0]]), int(self._ends[numbers[-1]])
            made.append((origin + self._at(start), origin + self._at(end), speaker))
        return made

    def cuts(self, needed: Collection[int] = ()) -> list[Cut | None]:
        """Before each word, and after the last, where to cut, in seconds of the stretch.

        Args:
            needed: Words to cut before, where nobody pauses too.
        """
        made: list[Cut | None] = [None] * (len(self._starts) + 1)
        there = np.flatnonzero(self._starts >= 0)
        edges = [-1, *there.tolist(), len(self._starts)]
        for before, after in itertools.pairwise(edges):
            self._cut_between(before, after, made)
            for number in range(before + 1, min(after + 1, len(self._starts))):
                if number in needed and made[number] is None:
                    made[number] = self._middle(before, after)
        made[0] = made[0] or Cut(0.0, 0.0)
        made[-1] = made[-1] or Cut(self.seconds, self.seconds)
        return made

    def _middle(self, before: int, after: int) -> Cut:
        """A cut halfway between two recognized words, or what is left of the recording."""
        start = 0 if before < 0 else int(self._ends[before])
        end = len(self._stretch.levels) if after == len(self._starts) else int(self._starts[after])
        middle = self._at((start + end) / 2)
        return Cut(middle, middle)

    def _cut_between(self, before: int, after: int, made: list[Cut | None]) -> None:
        """The cuts in the gap between two recognized words.

        Words between them that were missed get a piece of their own where they cannot be
        what the words beside them sound of, so that these are not lost with them.
        """
        is_first, is_last = before < 0, after == len(self._starts)
        start = 0 if is_first else int(self._ends[before])
        end = len(self._stretch.levels) if is_last else int(self._starts[after])
        found = pauses_between(
            start,
            end,
            silent=self._silent,
            levels=self._stretch.levels,
            frame_seconds=self._stretch.frame_seconds,
            rule=self._rules.pause,
        )
        if not found:
            if is_first and after == 0:
                made[0] = Cut(0.0, self._at(max(0, end - self._padding)))
            if is_last and before == after - 1:
                stop = min(len(self._stretch.levels), start + self._padding)
                made[-1] = Cut(self._at(stop), self.seconds)
            return
        if after > before + 1 and not self._stand_alone(before + 1, after, start, end):
            return
        left, right = self._left_and_right(found, start, end)
        ended = self._at(left.start + self._kept(left))
        begun = self._at(right.end - self._kept(right))
        pause = sum(one.end - one.start for one in found) * self._stretch.frame_seconds
        if after == before + 1:
            made[after] = Cut(ended, begun, pause, self._ends_sentence(before))
            return
        made[before + 1] = Cut(ended, ended, pause / 2, self._ends_sentence(before))
        made[after] = Cut(begun, begun, pause / 2, self._ends_sentence(after - 1))
        if is_first:
            made[0] = Cut(0.0, 0.0)
        if is_last:
            made[-1] = Cut(self.seconds, self.seconds)

    def _stand_alone(self, first: int, last: int, start: int, end: int) -> bool:
        """Whether words that were missed are surely not in the utterances beside them:
        they are many, or something else is said in their place."""
        labels = sum(len(self._word_labels[number].labels) for number in range(first, last))
        return labels > _MOST_HIDDEN_LABELS or not self._silent[start:end].all()

    def _left_and_right(self, found: list[Pause], start: int, end: int) -> tuple[Pause, Pause]:
        """The pause after the word before, and the one before the word after.

        It is the same, the longest, where nothing is said in between: a sound before or after
        it belongs to the word on its side. Else each is the longest on its side of that.
        """
        said = start + np.flatnonzero(~self._silent[start:end])
        if not len(said):
            return (longest := max(found, key=_length)), longest
        left = [one for one in found if one.start < said[0]] or found[:1]
        right = [one for one in found if one.end > said[-1]] or found[-1:]
        return max(left, key=_length), max(right, key=_length)

    @property
    def _padding(self) -> int:
        """In frames."""
        return round(self._rules.pause.padding_seconds / self._stretch.frame_seconds)

    def _kept(self, pause: Pause) -> float:
        """Frames of a pause that stay with the utterance beside it."""
        return min(self._padding, _length(pause) / 2)

    def _at(self, frame: float) -> float:
        return frame * self._stretch.frame_seconds

    def _ends_sentence(self, word: int) -> bool:
        return word >= 0 and self._transcript.words[word].ends_sentence

    def is_bad(self, cuts: Sequence[Cut | None]) -> Callable[[int, int], bool]:
        """Whether the words of a range would be rejected for what is in them."""

        def bad(first: int, last: int) -> bool:
            if self._missing_before[last] > self._missing_before[first]:
                return True
            return self._score(cuts, first, last) < self._rules.least_score

        return bad

    def _score(self, cuts: Sequence[Cut | None], first: int, last: int) -> float:
        begin, end = cuts[first], cuts[last]
        assert begin is not None
        assert end is not None
        start = int(begin.start_after / self._stretch.frame_seconds)
        stop = min(len(self._stretch.levels), round(end.end_before / self._stretch.frame_seconds))
        return self._scores.score(start, stop) if stop > start else 0.0

    def utterance(self, first: int, last: int, cuts: Sequence[Cut | None]) -> CutUtterance:
        """The words ``first`` to before ``last``, with the reason why they are rejected."""
        begin, end = cuts[first], cuts[last]
        assert begin is not None
        assert end is not None
        origin = self._stretch.start_seconds
        made = CutUtterance(
            origin + begin.start_after,
            origin + max(begin.start_after, end.end_before),
            self._transcript.written(first, last),
            round(self._score(cuts, first, last), 3),
            speaker=self._transcript.speaker(first, last),
        )
        rejected, detail = self._reason(first, last, made)
        return replace(made, rejected=rejected, detail=detail)

    def _reason(self, first: int, last: int, made: CutUtterance) -> tuple[str, str]:
        rules, words = self._rules, self._transcript.words
        uncovered = [n for n in range(first, last) if not self._word_labels[n].is_covered]
        if uncovered:
            return reasons.UNSPELLABLE, _listed([words[number].text for number in uncovered])
        missing = [n for n in range(first, last) if self._starts[n] < 0]
        if missing:
            return reasons.NOT_IN_AUDIO, _listed([words[number].text for number in missing])
        score = made.score or 0.0
        if score < rules.least_score:
            return reasons.LOW_SCORE, f"{score:.2f}, below {rules.least_score:g}"
        return length_reason(made.duration_seconds, rules.lengths)


def _length(pause: Pause) -> int:
    return pause.end - pause.start


def length_reason(seconds: float, lengths: Lengths) -> tuple[str, str]:
    """Why a length is not allowed, and more of it; both empty where it is."""
    if seconds > lengths.most_seconds:
        return reasons.TOO_LONG, f"{seconds:.1f} s, above {lengths.most_seconds:g} s"
    if seconds < lengths.least_seconds:
        return reasons.TOO_SHORT, f"{seconds:.2f} s, below {lengths.least_seconds:g} s"
    return "", ""


def _listed(words: Sequence[str]) -> str:
    more = len(words) - _SHOWN_WORDS
    return " ".join(words[:_SHOWN_WORDS]) + (f" and {more} more" if more > 0 else "")
