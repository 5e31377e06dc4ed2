"""A recording longer than a model takes at once: pieces of it, cut where nobody speaks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from mynah.inference.voice_activity import Detector

_BLOCK_SECONDS = 60.0  # of a recording that are looked at together, at least


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
    """

    longest_seconds: float
    joined_seconds: float = 0.0
    longest_pause_seconds: float = 3.0
    least_pause_seconds: float = 0.4
    padding_seconds: float = 0.25
    overlap_seconds: float = 4.0


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

    def pieces(self, blocks: Iterable[np.ndarray]) -> Iterator[LongFormPiece]:
        """The pieces that hold speech, in order.

        Args:
            blocks: Mono float32 [samples] each, one after the other.
        """
        held = np.zeros(0, dtype=np.float32)
        scores = np.zeros(0, dtype=np.float32)
        begin = 0  # sample of the recording at which what is held begins
        shared = 0  # frames of its beginning that are the end of the last piece too
        waiting: list[np.ndarray] = []
        for block in blocks:
            self.seconds += len(block) / self._rate
            waiting.append(block)
            if len(held) + sum(map(len, waiting)) < self._block:
                continue
            held, scores = self._listened(held, scores, waiting)
            waiting = []
            *done, last = self._spans(scores, shared) or [_Span(len(scores), len(scores))]
            yield from self._cut(held, begin, done)
            kept, shared = last.start, last.overlap
            self.silent_seconds += _outside(done, kept) * self._frame / self._rate
            held, scores = held[kept * self._frame :].copy(), scores[kept:]
            begin += kept * self._frame
        tail = np.zeros(-(len(held) + sum(map(len, waiting))) % self._frame, dtype=np.float32)
        held, scores = self._listened(held, scores, [*waiting, tail])
        spans = self._spans(scores, shared)
        yield from self._cut(held[: len(held) - len(tail)], begin, spans)
        silent = _outside(spans, len(scores)) * self._frame - len(tail)
        self.silent_seconds += max(0.0, silent / self._rate)

    def _listened(
        self, held: np.ndarray, scores: np.ndarray, waiting: list[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """What is held with what waits, and the scores of its complete frames."""
        held = np.concatenate([held, *waiting])
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
        stretches = _stretches(
            self._detector.speech(scores),
            least_pause=self._frames(cutting.least_pause_seconds),
            padding=self._frames(cutting.padding_seconds),
        )
        longest = int(cutting.longest_seconds * self._rate) // self._frame
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


def _stretches(speech: np.ndarray, *, least_pause: int, padding: int) -> list[tuple[int, int]]:
    """Runs of speech as (first frame, frame after the last), with a part of the pauses beside
    them; pauses shorter than ``least_pause`` are within a run."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], speech.astype(np.int8), [0]])))
    runs: list[list[int]] = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if runs and start - runs[-1][1] < least_pause:
            runs[-1][1] = end
        else:
            runs.append([start, end])
    found: list[tuple[int, int]] = []
    for number, (start, end) in enumerate(runs):
        before = runs[number - 1][1] if number else -start
        after = runs[number + 1][0] if number + 1 < len(runs) else 2 * len(speech) - end
        first = max(0, start - min(padding, max(0, start - before) // 2))
        last = min(len(speech), end + min(padding, max(0, after - end) // 2))
        found.append((first, last))
    return found
