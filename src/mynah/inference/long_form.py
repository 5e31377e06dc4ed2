"""A recording longer than a model takes at once: pieces of it, cut where nobody speaks."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mynah.checkpoints.clip_lengths import ClipLengths
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
    """

    audio: np.ndarray
    start_seconds: float
    overlap_seconds: float = 0.0


@dataclass(frozen=True)
class _Span:
    """Frames of a buffer, ``end`` the one after the last; the first ``overlap`` are the end of
    the span before too."""

    start: int
    end: int
    overlap: int = 0


class LongForm:
    """Cuts a recording as it is read.

    Args:
        sample_rate: Hertz of the sound.
        cutting: The rules.
        detector: What finds speech in it.

    Attributes:
        seconds: Length of what was read so far.
        silent_seconds: What of it is in no piece.
    """

    def __init__(self, sample_rate: int, cutting: Cutting, detector: Detector) -> None:
        self.seconds = 0.0
        self.silent_seconds = 0.0
        self._rate = sample_rate
        self._cutting = cutting
        self._detector = detector
        self._frame = detector.frame_samples
        self._block = round(max(_BLOCK_SECONDS, 2.5 * cutting.longest_seconds) * sample_rate)
        self._pauses = _Pauses(
            clear=self._frames(_CLEAR_PAUSE_SECONDS),
            sure=self._frames(_SURE_PAUSE_SECONDS),
            around=2 * self._frames(cutting.padding_seconds),
        )

    def pieces(self, blocks: Iterable[np.ndarray]) -> Iterator[LongFormPiece]:
        """The pieces that hold speech, in order.

        Args:
            blocks: Mono float32 [samples] each, one after the other.
        """
        held = np.zeros(0, dtype=np.float32)
        scores = np.zeros(0, dtype=np.float32)
        begin = 0  # sample of the recording at which what is held begins
        shared = 0  # frames of its beginning that are the end of the last piece too
        equal = self._cutting.clips is not None  # so that the pauses known at a place are the same
        for block in _gathered(blocks, self._block, equal=equal):
            self.seconds += len(block) / self._rate
            if len(block) < self._block:
                held = np.concatenate([held, block])
                break
            held, scores = self._listened(held, scores, block)
            *done, last = self._spans(scores, shared) or [_Span(len(scores), len(scores))]
            yield from self._cut(held, begin, done)
            kept, shared = last.start, last.overlap
            self._pauses.leave(self._detector.speech(scores), kept)
            self.silent_seconds += _outside(done, kept) * self._frame / self._rate
            held, scores = held[kept * self._frame :].copy(), scores[kept:]
            begin += kept * self._frame
        tail = np.zeros(-len(held) % self._frame, dtype=np.float32)
        held, scores = self._listened(held, scores, tail)
        spans = self._spans(scores, shared)
        yield from self._cut(held[: len(held) - len(tail)], begin, spans)
        silent = _outside(spans, len(scores)) * self._frame - len(tail)
        self.silent_seconds += max(0.0, silent / self._rate)

    def _listened(
        self, held: np.ndarray, scores: np.ndarray, block: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What is held with what comes, and the scores of its complete frames."""
        held = np.concatenate([held, block])
        complete = len(held) // self._frame
        more = self._detector.feed(held[len(scores) * self._frame : complete * self._frame])
        return held, np.concatenate([scores, more])

    def _cut(self, held: np.ndarray, begin: int, spans: Iterable[_Span]) -> Iterator[LongFormPiece]:
        for span in spans:
            audio = held[span.start * self._frame : span.end * self._frame].copy()
            if len(audio):
                yield LongFormPiece(
                    audio,
                    (begin + span.start * self._frame) / self._rate,
                    span.overlap * self._frame / self._rate,
                )

    def _frames(self, seconds: float) -> int:
        return round(seconds * self._rate / self._frame)

    def _spans(self, scores: np.ndarray, shared: int) -> list[_Span]:
        """What is decoded at once, in order; the first ``shared`` frames were decoded before."""
        cutting = self._cutting
        stretches = _padded(
            self._stretches(self._detector.speech(scores)),
            padding=self._frames(cutting.padding_seconds),
            frames=len(scores),
        )
        longest = int(cutting.window_seconds * self._rate) // self._frame
        joined = min(longest, self._frames(cutting.joined_seconds))
        pause = self._frames(cutting.longest_pause_seconds)
        spans: list[_Span] = []
        for start, end in stretches:
            before = spans[-1] if spans and not spans[-1].overlap else None
            near = before is not None and start - before.end <= pause
            if before is not None and near and end - before.start <= joined:
                spans[-1] = _Span(before.start, end)
            elif end - start <= longest:
                spans.append(_Span(start, end))
            else:
                spans += self._windows(scores, start, end, longest)
        if shared and spans and spans[0].start == 0:
            spans[0] = replace(spans[0], overlap=shared)
        return spans

    def _stretches(self, speech: np.ndarray) -> list[tuple[int, int]]:
        """Speech as it is cut at pauses, without the pauses."""
        clips = self._cutting.clips
        if clips is None:
            return _runs(speech, self._frames(self._cutting.least_pause_seconds))
        runs = _runs(speech, self._frames(_SHORTEST_PAUSE_SECONDS))
        pause = self._pauses.to_cut_at(runs, self._frames(_LONGER_ON_AVERAGE * clips.mean_seconds))
        found: list[tuple[int, int]] = []
        for stretch in _parted(runs, pause):
            found += _shortened(stretch, self._frames(clips.longest_seconds))
        return found

    def _windows(self, scores: np.ndarray, start: int, end: int, longest: int) -> list[_Span]:
        """A stretch without a pause: cut at its shortest pauses, or in windows that overlap."""
        overlap = min(self._frames(self._cutting.overlap_seconds), longest // 4)
        spans: list[_Span] = []
        shared = 0
        while end - start > longest:
            first, last = start + longest // 2, start + longest
            quiet = first + int(np.argmin(_smoothed(scores[first:last])))
            if not self._detector.speech(scores[start:end])[quiet - start]:
                spans.append(_Span(start, quiet, shared))
                start, shared = quiet, 0
            else:
                spans.append(_Span(start, last, shared))
                start, shared = last - overlap, overlap
        return [*spans, _Span(start, end, shared)]


def _outside(spans: Iterable[_Span], frames: int) -> int:
    """How many of so many frames are in no span."""
    return frames - sum(span.end - span.start - span.overlap for span in spans)


def _smoothed(scores: np.ndarray) -> np.ndarray:
    """The mean of each frame and those beside it, so that a pause counts by its length."""
    padded = np.pad(scores, 2, mode="edge")
    found: np.ndarray = np.convolve(padded, np.full(5, 0.2, dtype=np.float32), mode="valid")
    return found


def _runs(speech: np.ndarray, least_pause: int) -> list[tuple[int, int]]:
    """Runs of speech as (first frame, frame after the last); shorter pauses are within a run."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], speech.astype(np.int8), [0]])))
    return [
        (run[0][0], run[-1][1])
        for run in _parted(
            list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)), least_pause
        )
    ]


def _parted(runs: Sequence[tuple[int, int]], pause: int) -> list[list[tuple[int, int]]]:
    """Runs with no pause of so many frames between them, each group by itself."""
    groups: list[list[tuple[int, int]]] = []
    for run in runs:
        if groups and run[0] - groups[-1][-1][1] < pause:
            groups[-1].append(run)
        else:
            groups.append([run])
    return groups


def _shortened(runs: Sequence[tuple[int, int]], longest: int) -> list[tuple[int, int]]:
    """Runs that follow on one another as one, or cut at their longest pauses where that is longer
    than so many frames."""
    done: list[tuple[int, int]] = []
    waiting = [list(runs)]
    while waiting:
        group = waiting.pop()
        if len(group) == 1 or group[-1][1] - group[0][0] <= longest:
            done.append((group[0][0], group[-1][1]))
            continue
        pauses = [after[0] - before[1] for before, after in itertools.pairwise(group)]
        cut = 1 + pauses.index(max(pauses))
        waiting += [group[cut:], group[:cut]]
    return done


def _padded(runs: Sequence[tuple[int, int]], *, padding: int, frames: int) -> list[tuple[int, int]]:
    """Runs of speech with a part of the pauses beside them, of so many frames in all."""
    found: list[tuple[int, int]] = []
    for number, (start, end) in enumerate(runs):
        before = runs[number - 1][1] if number else -start
        after = runs[number + 1][0] if number + 1 < len(runs) else 2 * frames - end
        first = max(0, start - min(padding, max(0, start - before) // 2))
        last = min(frames, end + min(padding, max(0, after - end) // 2))
        found.append((first, last))
    return found


class _Pauses:
    """How long the pauses of a recording are, so far.

    Args:
        clear: Frames of the shortest pause that may be cut at everywhere.
        sure: Frames of a pause that is always cut at.
        around: Frames of a pause that stay where it is cut, on both sides together.
    """

    def __init__(self, *, clear: int, sure: int, around: int) -> None:
        self._clear, self._sure, self._around = clear, sure, around
        self._speech = 0  # frames
        self._counts = np.zeros(sure + 1, dtype=np.int64)  # of pauses by frames, the last: or more

    def leave(self, speech: np.ndarray, frames: int) -> None:
        """Count the first frames of speech, bool [frames], with the pause before the next."""
        runs = _runs(speech, self._clear)
        gone = [run for run in runs if run[1] <= frames]
        counts, said = self._counted(runs[: len(gone) + 1], last=False)
        self._counts += counts
        self._speech += said

    def to_cut_at(self, runs: Sequence[tuple[int, int]], average: int) -> int:
        """The longest pause, in frames, by which pieces have at most so many frames on average.

        Args:
            runs: The speech that follows on what was counted.
            average: Frames.
        """
        counts, speech = self._counted(runs, last=True)
        counts, speech = counts + self._counts, speech + self._speech
        pieces = 1
        frames = speech + int(counts @ np.arange(len(counts)))
        for pause in range(self._sure, self._clear - 1, -1):
            pieces += int(counts[pause])
            frames -= int(counts[pause]) * max(0, pause - self._around)
            if frames <= average * pieces:
                return pause
        return self._clear

    def _counted(self, runs: Sequence[tuple[int, int]], *, last: bool) -> tuple[np.ndarray, int]:
        """Pauses between runs by their frames, and frames of speech; ``last``: of the last too."""
        pauses = [min(self._sure, b[0] - a[1]) for a, b in itertools.pairwise(runs)]
        counts = np.bincount(pauses, minlength=self._sure + 1).astype(np.int64)
        said = runs if last else runs[:-1]
        return counts, sum(end - start for start, end in said)


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
