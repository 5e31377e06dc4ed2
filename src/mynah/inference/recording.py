"""A recording while it is transcribed: what was decoded of it so far."""

from __future__ import annotations

from dataclasses import replace

from mynah.errors import UserError
from mynah.inference.decoding import RecordingPart
from mynah.inference.joining import joined_segments, seam
from mynah.inference.transcription import Guarded, Segment, Transcription
from mynah.models.text.units import unit_spans


class OpenRecording:
    """The parts of one recording, and what goes wrong with it.

    Attributes:
        source: The file, or "".
        error: Why there is no transcript; None: there is one so far.
        is_read: Whether no part comes any more.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.is_read = False
        self._error: str | None = None
        self._parts: list[RecordingPart] = []
        self._seconds = 0.0
        self._guarded = Guarded()

    def add(self, part: RecordingPart) -> None:
        """Take another part, which is decoded later."""
        self._parts.append(part)

    def fail(self, problem: Exception) -> None:
        """Note why it cannot be transcribed."""
        self._error = problem.what.rstrip(".") if isinstance(problem, UserError) else str(problem)

    def lasts(self, seconds: float) -> None:
        """Note the length of one of its channels."""
        self._seconds = max(self._seconds, seconds)

    def guard(self, guarded: Guarded) -> None:
        """Note what was kept out of its transcript."""
        self._guarded += guarded

    @property
    def error(self) -> str | None:
        return self._error or next((part.error for part in self._parts if part.error), None)

    @property
    def is_done(self) -> bool:
        return self.is_read and all(part.is_done for part in self._parts)

    def segments(self) -> list[Segment]:
        """What was decoded so far, by its start: no word of two parts that overlap twice."""
        found: list[Segment] = []
        before: RecordingPart | None = None
        for part in self._parts:
            segment = part.segment()
            if segment is None:
                continue
            if part.overlap_seconds and before is not None and before.channel == part.channel:
                found[-1], segment = _parted(found[-1], segment, part.overlap_seconds)
            found.append(segment)
            before = part
        kept = [one for one in found if one.text]
        return sorted(kept, key=lambda one: one.start_seconds)

    def transcription(self) -> Transcription:
        """The transcript, once all of it is decoded."""
        if self.error is not None:
            return Transcription("", (), self._seconds, source=self.source, error=self.error)
        segments = self.segments()
        languages = [part.language for part in self._parts if part.language]
        guarded = self._guarded
        for part in self._parts:
            guarded += part.guarded
        return Transcription(
            joined_segments(segments),
            tuple(segments),
            self._seconds,
            language=max(set(languages), key=languages.count) if languages else None,
            source=self.source,
            guarded=guarded,
        )


def _parted(before: Segment, after: Segment, overlap_seconds: float) -> tuple[Segment, Segment]:
    """Two segments that share some time, each of their units in one of them."""
    left, right = unit_spans(before.text), unit_spans(after.text)
    kept, first = seam(
        [before.text[start:end] for start, end in left],
        [after.text[start:end] for start, end in right],
        shared_before=_part(overlap_seconds, before),
        shared_after=_part(overlap_seconds, after),
    )
    middle = after.start_seconds + overlap_seconds / 2
    return (
        replace(
            before,
            end_seconds=middle,
            text=before.text[left[0][0] : left[kept - 1][1]] if kept else "",
            words=None if before.words is None else before.words[:kept],
            tokens=(),
        ),
        replace(
            after,
            start_seconds=middle,
            text=after.text[right[first][0] : right[-1][1]] if first < len(right) else "",
            words=None if after.words is None else after.words[first:],
            tokens=(),
        ),
    )


def _part(overlap_seconds: float, segment: Segment) -> float:
    seconds = segment.end_seconds - segment.start_seconds
    return min(1.0, overlap_seconds / seconds) if seconds > 0 else 1.0
