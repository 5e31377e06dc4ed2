"""Subtitles: segments cut to what can be read at once, where the times of words are known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mynah.inference.transcription import Segment, TimedWord, Transcription

_MOST_CHARACTERS = 84  # two lines of 42, as broadcasters have them
_MOST_SECONDS = 7.0
_LEAST_GAP_SECONDS = 0.8  # a pause that ends a subtitle


@dataclass(frozen=True)
class Cue:
    """One subtitle.

    Attributes:
        start_milliseconds: When it appears.
        end_milliseconds: When it goes, later than that.
        text: What it shows.
        channel: The channel that it is on, or None.
    """

    start_milliseconds: int
    end_milliseconds: int
    text: str
    channel: int | None


def cues(transcription: Transcription) -> list[Cue]:
    """The subtitles of a transcript, in order."""
    found = [cue for segment in transcription.segments for cue in _of_segment(segment)]
    return sorted((cue for cue in found if cue.text), key=lambda cue: cue.start_milliseconds)


def clock(milliseconds: int, point: str) -> str:
    """A time as ``01:02:03,004``, with ``point`` before the thousandths."""
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{rest:03}"


def _of_segment(segment: Segment) -> Iterator[Cue]:
    if not segment.words:
        yield _cue(segment.start_seconds, segment.end_seconds, segment.text, segment.channel)
        return
    group: list[TimedWord] = []
    text = ""
    for word, space in zip(segment.words, spaces(segment), strict=True):
        if group and _is_full(group, word, f"{text}{space}{word.text}"):
            yield _of_words(group, text, segment.channel)
            group, text = [], ""
        text = f"{text}{space}{word.text}" if group else word.text
        group.append(word)
    yield _of_words(group, text, segment.channel)


def spaces(segment: Segment) -> Iterator[str]:
    """What stands before each word of a segment: nothing where its script has no spaces."""
    reached = 0
    for word in segment.words or ():
        at = segment.text.find(word.text, reached)
        yield "" if at == reached else " "
        reached = reached if at < 0 else at + len(word.text)


def _is_full(group: Sequence[TimedWord], word: TimedWord, text: str) -> bool:
    """Whether a word no longer belongs to a subtitle, which has this text with it."""
    return (
        len(text) > _MOST_CHARACTERS
        or word.end_seconds - group[0].start_seconds > _MOST_SECONDS
        or word.start_seconds - group[-1].end_seconds > _LEAST_GAP_SECONDS
    )


def _of_words(words: Sequence[TimedWord], text: str, channel: int | None) -> Cue:
    return _cue(words[0].start_seconds, words[-1].end_seconds, text, channel)


def _cue(start_seconds: float, end_seconds: float, text: str, channel: int | None) -> Cue:
    start = round(1000 * start_seconds)
    return Cue(start, max(start + 1, round(1000 * end_seconds)), " ".join(text.split()), channel)
