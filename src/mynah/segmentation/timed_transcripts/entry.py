"""What every timed transcript is read as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mynah.errors import UserError


@dataclass(frozen=True)
class TimedEntry:
    """A part of a recording with what is said in it.

    Attributes:
        start_seconds: Where it begins.
        end_seconds: Where it ends.
        text: What is said, cleaned of markup.
        recording: The recording it is of, as the file names it; "": the only one.
        channel: The channel it is on, counted from 0; None: not known.
        speaker: Who speaks; "": not known.
        rejected: Why the file itself says that it is of no use; "": it does not.
    """

    start_seconds: float
    end_seconds: float
    text: str
    recording: str = ""
    channel: int | None = None
    speaker: str = ""
    rejected: str = ""


@dataclass(frozen=True)
class TimedTranscript:
    """All parts of a file.

    Attributes:
        entries: The parts, in the file's order.
        are_words: Whether each is a single word, to be put together into utterances.
        run_on: Whether a part may end in the middle of a sentence, as a subtitle does.
        passed_over: What an STM or CTM file has that is not taken, with how often.
        annotations: How many annotations of a TextGrid, as ``[laughter]``, were left out.
    """

    entries: list[TimedEntry]
    are_words: bool = False
    run_on: bool = False
    passed_over: Mapping[str, int] = field(default_factory=dict)
    annotations: int = 0


def malformed(what: str, where: str, line: int, fix: str | None = None) -> UserError:
    """The error for a line that cannot be read."""
    return UserError(what, where=f"{where}, line {line}", fix=fix)
