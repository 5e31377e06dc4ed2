"""One recording that is to be transcribed for a client."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from mynah.inference.transcription import Segment, Transcription
from mynah.serving.problems import Refused, too_long


class Cancelled(Exception):  # noqa: N818
    """Nobody waits for the transcript any more."""


@dataclass(frozen=True)
class AskedTranscription:
    """What of a request changes how its recording is decoded.

    Attributes:
        language: ISO 639-1 code; None: that of the model's settings.
        context: Names and terms that may be said.
        words: Whether words get their times.
    """

    language: str | None = None
    context: str = ""
    words: bool = False


@dataclass(eq=False)
class TranscriptionJob:
    """A recording on its way.

    Attributes:
        audio: The bytes of an audio file; let go when it is decoded.
        asked: How it is decoded.
        is_long: Whether it is longer than the model takes at once, as far as its header tells.
        is_streamed: Whether segments are given as they come.
        most_seconds: Longer ones are refused.
        segments: Segments as they come, None behind the last; of a streamed job.
        done: The transcript, or what went wrong.
    """

    audio: bytes
    asked: AskedTranscription
    is_long: bool
    is_streamed: bool
    most_seconds: float
    segments: asyncio.Queue[Segment | None] = field(default_factory=asyncio.Queue)
    done: asyncio.Future[Transcription] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    has_begun: bool = False
    created: float = field(default_factory=time.monotonic)
    _is_cancelled: bool = False

    @property
    def is_cancelled(self) -> bool:
        return self._is_cancelled

    def cancel(self) -> None:
        """Let go of the recording; its decoding ends at the next piece."""
        self._is_cancelled = True
        self.audio = b""
        self.done.cancel()

    def check(self, seconds: float) -> None:
        """Called by the decoding thread with what it has read so far.

        Raises:
            Cancelled: Nobody waits any more.
            Refused: The recording is too long.
        """
        if self._is_cancelled:
            raise Cancelled
        if seconds > self.most_seconds:
            raise too_long(self.most_seconds)

    def finish(self, transcription: Transcription) -> None:
        """Give the transcript to whoever waits for it."""
        self.audio = b""
        if not self.done.done():
            self.done.set_result(transcription)
        self.segments.put_nowait(None)

    def fail(self, problem: Refused) -> None:
        """Say why there is none."""
        self.audio = b""
        if not self.done.done():
            self.done.set_exception(problem)
            self.done.exception()  # somebody streamed to may have left: not "never retrieved"
        self.segments.put_nowait(None)
