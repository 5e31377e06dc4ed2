"""A recording longer than a model takes at once: pieces of it, cut where nobody speaks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mynah.checkpoints.clip_lengths import ClipLengths
from mynah.inference.cutting.held import Held, Span
from mynah.inference.cutting.pauses import Pauses, padded, parted, runs_of, shortened
from mynah.inference.voice_activity import Detector

_BLOCK_SECONDS = 60.0  # of a recording that are looked at together, at least
_SURE_PAUSE_SECONDS = 0.8  # few clips of a training hold a longer one
_CLEAR_PAUSE_SECONDS = 0.25  # within a word nobody is silent for so long
_SHORTEST_PAUSE_SECONDS = 0.1  # cut at only where a piece would be too long
_LEAST_WINDOW_SECONDS = 5.0  # a quarter of it holds words by which windows are joined
_LONGER_ON_AVERAGE = 1.1  # than the clips of the training: they end in silence that pieces lack


@dataclass(frozen=True)
class Cutting:
    """How long recordings are cut.

    Attributes:
        longest_seconds: Longest piece: what the model takes at once.
        joined_seconds: Stretches of speech that follow on one another make one piece up to this
            length; 0: each stretch is a piece, as the clips of a training are.
        longest_pause_seconds: Longest pause in a piece: in a longer one a decoder invents words.
        least_pause_seconds: A stretch ends where nobody speaks for so long.
        padding_seconds: What of the pause stays on each side of a piece, at most.
        overlap_seconds: What two pieces share where speech has to be cut without a pause.
        clips: Lengths of the clips that the model was trained on: pieces are about as long, cut
            at the recording's longest pauses; None: not known, and the pauses above count.
    """

    longest_seconds: float
    joined_seconds: float = 0.0
    longest_pause_seconds: float = 3.0
    least_pause_seconds: float = 0.4
    padding_seconds: float = 0.25
    overlap_seconds: float = 4.0
    clips: ClipLengths | None = None

    @property
    def window_seconds(self) -> float:
        """Longest piece, which speech without a pause is cut into."""
        if self.clips is None:
            return self.longest_seconds
        learned = self.clips.longest_seconds + 2 * self.padding_seconds
        return min(self.longest_seconds, max(learned, _LEAST_WINDOW_SECONDS))


@dataclass(frozen=True)
class LongFormPiece:
    """A piece of a recording.

    Attributes:
        audio: float32 [samples].
        start_seconds: Where it begins in the recording.
        overlap_seconds: What of its beginning is the end of the piece before too.
        is_continued: Whether the next piece begins inside it.
    """

    audio: np.ndarray
    start_seconds: float
    overlap_seconds: float = 0.0
    is_continued: bool = False


class LongForm:
    """Cuts a recording as it is read.

    Args:
        sample_rate: Hertz of the sound.
        cutting: The rules.
        detector: What finds speech in it.

    Attributes:
        seconds: Length of what was read so far.
    """

    def __init__(self, sample_rate: int, cutting: Cutting, detector: Detector) -> None:
        self.seconds = 0.0
        self._given_seconds = 0.0  # in pieces, what two of them share once
        self._rate = sample_rate
        self._cutting = cutting
        self._detector = detector
        self._frame = detector.frame_samples
        self._block = round(max(_BLOCK_SECONDS, 2.5 * cutting.longest_seconds) * sample_rate)
        self._clear, sure = map(self._frames, (_CLEAR_PAUSE_SECONDS, _SURE_PAUSE_SECONDS))
        self._padding = self._frames(cutting.padding_seconds)
        self._pauses = Pauses(clear=self._clear, sure=sure, around=2 * self._padding)
        # Frames behind a span with which nothing joins it that comes later, with its own padding.
        pauses = (cutting.longest_pause_seconds, cutting.least_pause_seconds)
        self._apart = max(sure, *map(self._frames, pauses)) + self._padding

    @property
    def silent_seconds(self) -> float:
        """What of it is in no piece so far."""
        return max(0.0, self.seconds - self._given_seconds)

    def pieces(self, blocks: Iterable[np.ndarray]) -> Iterator[LongFormPiece]:
        """The pieces that hold speech, in order.

        Args:
            blocks: Mono float32 [samples] each, one after the other.
        """
        held = Held(self._detector)
        equal = self._cutting.clips is not None  # so that the pauses known at a place are the same
        for block in _gathered(blocks, self._block, equal=equal):
            self.seconds += len(block) / self._rate
            if len(block) < self._block:
                break
            held.add(block)
            *done, last = self._spans(held) or [Span(len(held.scores), len(held.scores))]
            yield from self._cut(held, done, last)
            self._pauses.leave(self._detector.speech(held.scores), last.start)
            held.leave(last.start, last.overlap)
            yield from self._settled(held)
            # A block of the silence stays, against which loudness is measured, and what pads the
            # piece that may begin next.
            most = last.end - last.start + self._block // self._frame
            held.shorten(most, self._padding)
        tail = -(len(held.audio) + len(block)) % self._frame
        held.add(np.pad(block, (0, tail)))
        held.audio = held.audio[: len(held.audio) - tail]
        yield from self._cut(held, self._spans(held))

    def _settled(self, held: Held) -> Iterator[LongFormPiece]:
        """The last span, where it is the same whatever follows what is held."""
        spans = self._spans(held)
        follow = len(held.scores) - (spans[-1].end if spans else 0)
        if len(spans) != 1 or follow <= self._apart:
            return
        (span,) = spans
        speech = self._detector.speech(held.scores)[span.start : span.end]
        # A pause that is long enough may be cut at, once more pauses of the recording are known.
        if self._cutting.clips is None or len(runs_of(speech, self._clear)) <= 1:
            yield from self._cut(held, spans)
            held.give(span.end)

    def _cut(
        self, held: Held, spans: Sequence[Span], following: Span | None = None
    ) -> Iterator[LongFormPiece]:
        """The pieces of spans, but for what was given before."""
        for span, after in zip(spans, [*spans[1:], following], strict=False):
            if self._grew_by_silence(held, span):
                held.given = span.end  # the next window shares nothing with a piece, then
                continue
            start = max(span.start, held.given)
            audio = held.audio[start * self._frame : span.end * self._frame].copy()
            if start < span.end and len(audio):
                overlap = max(0, span.start + span.overlap - start) * self._frame / self._rate
                self._given_seconds += len(audio) / self._rate - overlap
                yield LongFormPiece(
                    audio,
                    held.sample_of(start) / self._rate,
                    overlap,
                    is_continued=after is not None and after.overlap > 0,
                )

    def _grew_by_silence(self, held: Held, span: Span) -> bool:
        """Whether a span that was given reaches further by now, though nobody speaks there.

        Once most of what is held is noise, a detector that measures against the loudest takes the
        noise behind the span for speech.
        """
        if not span.start < held.given < span.end:
            return False
        more = _smoothed(held.scores[held.given : span.end])
        return not self._detector.is_above(more, held.silence)

    def _frames(self, seconds: float) -> int:
        return round(seconds * self._rate / self._frame)

    def _spans(self, held: Held) -> list[Span]:
        """What is decoded at once, in order."""
        cutting, scores = self._cutting, held.scores
        stretches = padded(
            self._stretches(self._detector.speech(scores)),
            padding=self._padding,
            frames=len(scores),
        )
        longest = int(cutting.window_seconds * self._rate) // self._frame
        joined = min(longest, self._frames(cutting.joined_seconds))
        pause = self._frames(cutting.longest_pause_seconds)
        spans: list[Span] = []
        for start, end in stretches:
            before = spans[-1] if spans and not spans[-1].overlap else None
            near = before is not None and start - before.end <= pause
            if before is not None and near and end - before.start <= joined:
                spans[-1] = Span(before.start, end)
            elif end - start <= longest:
                spans.append(Span(start, end))
            else:
                spans += self._windows(scores, start, end, longest)
        if held.shared and spans and spans[0].start == 0:
            spans[0] = replace(spans[0], overlap=held.shared)
        return held.parted(spans)

    def _stretches(self, speech: np.ndarray) -> list[tuple[int, int]]:
        """Speech as it is cut at pauses, without the pauses."""
        clips = self._cutting.clips
        if clips is None:
            return runs_of(speech, self._frames(self._cutting.least_pause_seconds))
        runs = runs_of(speech, self._frames(_SHORTEST_PAUSE_SECONDS))
        pause = self._pauses.to_cut_at(runs, self._frames(_LONGER_ON_AVERAGE * clips.mean_seconds))
        found: list[tuple[int, int]] = []
        for stretch in parted(runs, pause):
            found += shortened(stretch, self._frames(clips.longest_seconds))
        return found

    def _windows(self, scores: np.ndarray, start: int, end: int, longest: int) -> list[Span]:
        """A stretch without a pause: cut at its shortest pauses, or in windows that overlap."""
        overlap = min(self._frames(self._cutting.overlap_seconds), longest // 4)
        spans: list[Span] = []
        shared = 0
        while end - start > longest:
            first, last = start + longest // 2, start + longest
            quiet = first + int(np.argmin(_smoothed(scores[first:last])))
            if not self._detector.speech(scores[start:end])[quiet - start]:
                spans.append(Span(start, quiet, shared))
                start, shared = quiet, 0
            else:
                spans.append(Span(start, last, shared))
                start, shared = last - overlap, overlap
        return [*spans, Span(start, end, shared)]


def _smoothed(scores: np.ndarray) -> np.ndarray:
    """The mean of each frame and those beside it, so that a pause counts by its length."""
    edged = np.pad(scores, 2, mode="edge")
    found: np.ndarray = np.convolve(edged, np.full(5, 0.2, dtype=np.float32), mode="valid")
    return found


def _gathered(blocks: Iterable[np.ndarray], samples: int, *, equal: bool) -> Iterator[np.ndarray]:
    """The same sound in blocks of so many samples, or at least so many, and a shorter one at last.

    Args:
        blocks: float32 [samples] each.
        samples: Of a block.
        equal: Whether no block has more.
    """
    waiting: list[np.ndarray] = []
    count = 0
    for block in blocks:
        waiting.append(block)
        count += len(block)
        if count < samples:
            continue
        held = np.concatenate(waiting)
        step = samples if equal else count
        for at in range(0, count - step + 1, step):
            yield held[at : at + step]
        count %= step
        waiting = [held[len(held) - count :].copy()]
    yield np.concatenate([*waiting, np.zeros(0, dtype=np.float32)])
