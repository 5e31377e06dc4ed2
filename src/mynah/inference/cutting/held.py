"""The end of a recording while it is read: what may still be cut otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mynah.inference.voice_activity import Detector


@dataclass(frozen=True)
class Span:
    """Frames of a buffer, ``end`` the one after the last; the first ``overlap`` are the end of
    the span before too."""

    start: int
    end: int
    overlap: int = 0


class Held:
    """The end of a recording as far as it is read: from where the last span begins.

    Args:
        detector: What scores it.

    Attributes:
        audio: float32 [samples].
        scores: float32 [frames], of its complete frames.
        shared: Frames of its beginning that are the end of the last piece too.
        given: Frames of its beginning whose pieces were given already.
        silence: float32 [frames], the scores of the silence behind the pieces that were given.
    """

    def __init__(self, detector: Detector) -> None:
        self.audio = np.zeros(0, dtype=np.float32)
        self.scores = np.zeros(0, dtype=np.float32)
        self.silence = np.zeros(0, dtype=np.float32)
        self.shared = self.given = 0
        self._detector = detector
        self._frame = detector.frame_samples
        self._begin = 0  # sample of the recording
        self._left_out = 0  # frames of silence that are not held,
        self._gap = 0  # between those before this one and the others

    def add(self, block: np.ndarray) -> None:
        """Take what follows, float32 [samples]."""
        self.audio = np.concatenate([self.audio, block])
        complete = len(self.audio) // self._frame * self._frame
        more = self._detector.feed(self.audio[len(self.scores) * self._frame : complete])
        self.scores = np.concatenate([self.scores, more])

    def sample_of(self, frame: int) -> int:
        """Where a frame begins in the recording."""
        before = self._left_out if frame >= self._gap else 0
        return self._begin + (frame + before) * self._frame

    def parted(self, spans: Sequence[Span]) -> list[Span]:
        """Spans, none across what is left out: a detector may take its silence for speech later."""
        found: list[Span] = []
        for span in spans:
            if self._left_out and span.start < self._gap < span.end:
                found += [replace(span, end=self._gap), Span(self._gap, span.end)]
            else:
                found.append(span)
        return found

    def give(self, frames: int) -> None:
        """Note that the pieces of the first frames are given: nobody speaks behind them."""
        if not self.given:  # later on, what is behind them may be noise that is taken for speech
            self.silence = self.scores[frames:].copy()
        self.given = frames

    def leave(self, frames: int, shared: int) -> None:
        """Let the first frames go; what follows shares ``shared`` with them."""
        self._begin = self.sample_of(frames)
        if frames >= self._gap:
            self._left_out = 0
        self._gap = max(0, self._gap - frames)
        self.given = max(0, self.given - frames)
        self.shared = shared
        self.audio = self.audio[frames * self._frame :].copy()
        self.scores = self.scores[frames:]

    def shorten(self, first: int, last: int) -> None:
        """Leave out the silence between the first frames and the last.

        Args:
            first: Frames that stay before it; speech is in them alone.
            last: Frames that stay behind it.
        """
        first = min(first, self._gap) if self._left_out else first
        behind = len(self.scores) - last
        if behind <= first:
            return
        rest = self.audio[behind * self._frame :]
        self.audio = np.concatenate([self.audio[: first * self._frame], rest])
        self.scores = np.concatenate([self.scores[:first], self.scores[behind:]])
        self._gap, self._left_out = first, self._left_out + behind - first
