"""JSON: everything that is known of a transcript."""

from __future__ import annotations

import json
from typing import Any

from mynah.inference.formats.format import Format
from mynah.inference.transcription import Segment, TimedWord, Transcription

_DIGITS = 3  # milliseconds


def as_json(transcription: Transcription, name: str) -> dict[str, Any]:
    """A transcript as mappings, lists, texts and numbers; times in seconds."""
    guarded = transcription.guarded
    return {
        "name": name,
        "text": transcription.text,
        "language": transcription.language,
        "duration": round(transcription.duration_seconds, _DIGITS),
        "segments": [_segment(one) for one in transcription.segments],
        "guarded": {
            "silent_seconds": round(guarded.silent_seconds, _DIGITS),
            "loops_cut": guarded.loops_cut,
            "loops_left": guarded.loops_left,
            "stops_continued": guarded.stops_continued,
            "texts_cut": guarded.texts_cut,
            "cut_short": guarded.cut_short,
        },
    }


def _segment(segment: Segment) -> dict[str, Any]:
    found: dict[str, Any] = {
        "start": round(segment.start_seconds, _DIGITS),
        "end": round(segment.end_seconds, _DIGITS),
        "text": segment.text,
    }
    if segment.channel is not None:
        found["channel"] = segment.channel
    if segment.log_probability is not None:
        found["log_probability"] = round(segment.log_probability, _DIGITS)
    if segment.words is not None:
        found["words"] = [word_as_json(word) for word in segment.words]
    return found


def word_as_json(word: TimedWord) -> dict[str, str | float]:
    """A word with its times in seconds, and its confidence where that is known."""
    found: dict[str, str | float] = {
        "word": word.text,
        "start": round(word.start_seconds, _DIGITS),
        "end": round(word.end_seconds, _DIGITS),
    }
    if word.confidence is not None:
        found["confidence"] = round(word.confidence, _DIGITS)
    return found


def write(transcription: Transcription, name: str) -> str:
    """:func:`as_json` as a file."""
    return json.dumps(as_json(transcription, name), indent=2, ensure_ascii=False) + "\n"


JSON = Format("json", ".json", write, needs_words=True)
