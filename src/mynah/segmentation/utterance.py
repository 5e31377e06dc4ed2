"""A piece of a recording with its text: kept, or rejected for a reason."""

from __future__ import annotations

from dataclasses import dataclass

# Reasons for which an utterance is rejected, as they are counted.
NOT_IN_AUDIO = "words not in the audio"
UNSPELLABLE = "words the model cannot write"
LOW_SCORE = "low score"
TOO_LONG = "too long, no pause to cut at"
TOO_SHORT = "too short"
OVERLAPPING = "overlaps another"
MARKED = "marked in the transcript"
OUTSIDE_TEXT = "outside the recording"
SEVERAL_CHANNELS = "on no single channel"
NO_TRANSCRIPT = "no transcript"
UNREADABLE = "recording cannot be read"


@dataclass(frozen=True)
class CutUtterance:
    """A piece of a recording with its text.

    Attributes:
        start_seconds: Where it begins in the recording.
        end_seconds: Where it ends there.
        text: What is said, as the transcript writes it.
        score: How well audio and text agree, 0 at best; None: not scored.
        speaker: Who speaks, "" where that is not known.
        channel: The channel it is on; None: all are mixed.
        rejected: The reason why it is not kept; "": it is kept.
        detail: More of the reason, for people.
    """

    start_seconds: float
    end_seconds: float
    text: str
    score: float | None = None
    speaker: str = ""
    channel: int | None = None
    rejected: str = ""
    detail: str = ""

    @property
    def duration_seconds(self) -> float:
        return self.end_seconds - self.start_seconds
