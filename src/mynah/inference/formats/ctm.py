"""CTM, NIST's conversation time mark format: a word a line (sctk's doc/infmts.htm).

    recording channel start duration word [confidence]

Where the times of words are not known, those of a segment are shared out by the letters of its
words, with a comment that says so.
"""

from __future__ import annotations

from collections.abc import Iterator

from mynah.inference.formats.format import Format
from mynah.inference.transcription import Segment, TimedWord, Transcription
from mynah.models.text.units import units

_GUESSED = ";; times of words are shared out by their letters: the model tells none\n"


def write(transcription: Transcription, name: str) -> str:
    """The words of a transcript, a line each."""
    recording = "_".join(name.split()) or "-"
    known = all(segment.words is not None for segment in transcription.segments)
    lines = [
        f"{recording} {(segment.channel or 0) + 1} {word.start_seconds:.3f} "
        f"{word.end_seconds - word.start_seconds:.3f} {word.text}"
        + (f" {word.confidence:.3f}" if word.confidence is not None else "")
        + "\n"
        for segment in transcription.segments
        for word in ctm_words(segment)
    ]
    return "".join(lines if known else [_GUESSED, *lines])


def ctm_words(segment: Segment) -> Iterator[TimedWord]:
    """The words of a segment with their times, or with a share of its own."""
    if segment.words is not None:
        yield from segment.words
        return
    words = units(segment.text)
    letters = sum(map(len, words)) or 1
    seconds = segment.end_seconds - segment.start_seconds
    start = segment.start_seconds
    for word in words:
        end = start + seconds * len(word) / letters
        yield TimedWord(word, start, end)
        start = end


CTM = Format("ctm", ".ctm", write, needs_words=True)
