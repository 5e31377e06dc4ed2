"""When each word of a transcript is spoken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mynah.inference.transcription import TimedWord
from mynah.models.transcript import Clip, Transcript

if TYPE_CHECKING:
    from mynah.models.family import Family


def timed(
    family: Family, clips: Sequence[Clip], transcripts: Sequence[Transcript]
) -> list[tuple[TimedWord, ...] | None]:
    """The words of each clip with their times from its start; None where the model tells none."""
    found: list[tuple[TimedWord, ...] | None] = []
    for transcript in transcripts:
        words = transcript.words
        if not transcript.text:
            found.append(())
        elif words is None:
            found.append(None)
        else:
            found.append(
                tuple(TimedWord(one.text, one.start_seconds, one.end_seconds) for one in words)
            )
    return found


def shifted(words: Sequence[TimedWord], seconds: float) -> Iterator[TimedWord]:
    """The words so much later."""
    for word in words:
        yield replace(
            word,
            start_seconds=word.start_seconds + seconds,
            end_seconds=word.end_seconds + seconds,
        )
