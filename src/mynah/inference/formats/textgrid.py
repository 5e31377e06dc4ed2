"""TextGrid, Praat's annotations (its manual, "TextGrid file formats"): tiers of segments and words.

A tier covers the recording from its beginning to its end, so that what lies between two texts is
an interval without one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mynah.inference.formats.format import Format
from mynah.inference.transcription import Transcription

_Interval = tuple[float, float, str]


def write(transcription: Transcription, name: str) -> str:
    """The tiers ``utterances`` and, where their times are known, ``words``, of each channel."""
    end = max(
        [transcription.duration_seconds, *(one.end_seconds for one in transcription.segments)]
    )
    channels = sorted({one.channel for one in transcription.segments}, key=lambda one: one or 0)
    tiers: list[tuple[str, list[_Interval]]] = []
    for channel in channels or [None]:
        ending = "" if channel is None else f" {channel + 1}"
        segments = [one for one in transcription.segments if one.channel == channel]
        spans = [(one.start_seconds, one.end_seconds, one.text) for one in segments]
        tiers.append((f"utterances{ending}", _filled(spans, end)))
        if segments and all(one.words is not None for one in segments):
            words = [word for one in segments for word in one.words or ()]
            timed = [(word.start_seconds, word.end_seconds, word.text) for word in words]
            tiers.append((f"words{ending}", _filled(timed, end)))
    return "".join(_lines(tiers, end))


def _filled(spans: Sequence[_Interval], end: float) -> list[_Interval]:
    """Intervals from 0 to ``end`` without a gap, none of no length."""
    found: list[_Interval] = []
    reached, waiting = 0.0, ""
    for begin, until, text in sorted(spans):
        first, last = max(begin, reached), min(max(until, begin), end)
        if last <= first:
            if found and text:  # a word without a length joins the one before it
                begun, ended, before = found[-1]
                found[-1] = begun, ended, f"{before} {text}".strip()
            else:  # or else the one after it
                waiting = f"{waiting} {text}".strip()
            continue
        if first > reached:
            found.append((reached, first, ""))
        found.append((first, last, f"{waiting} {text}".strip()))
        reached, waiting = last, ""
    if reached < end:
        found.append((reached, end, waiting))
    return found


def _lines(tiers: Sequence[tuple[str, list[_Interval]]], end: float) -> Iterator[str]:
    yield 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
    yield f"xmin = 0\nxmax = {end:.6f}\ntiers? <exists>\nsize = {len(tiers)}\nitem []:\n"
    for number, (name, intervals) in enumerate(tiers, 1):
        yield f'    item [{number}]:\n        class = "IntervalTier"\n        name = "{name}"\n'
        yield f"        xmin = 0\n        xmax = {end:.6f}\n"
        yield f"        intervals: size = {len(intervals)}\n"
        for place, (begin, until, text) in enumerate(intervals, 1):
            quoted = text.replace('"', '""')
            yield f"        intervals [{place}]:\n            xmin = {begin:.6f}\n"
            yield f'            xmax = {until:.6f}\n            text = "{quoted}"\n'


TEXTGRID = Format("textgrid", ".TextGrid", write, needs_words=True)
