"""The words of a transcript, coloured by how likely they are right."""

from __future__ import annotations

import html
from collections.abc import Sequence

from mynah.inference.formats.cues import spaces
from mynah.inference.joining import segment_space
from mynah.inference.transcription import Segment, TimedWord, Transcription

_GREEN = 120  # degrees on the colour circle, from red
_NOTE = "This model tells no confidence of its words."


def coloured(transcription: Transcription) -> str:
    """A transcript as HTML: red is doubtful, green is sure; a word shows its figures."""
    words = transcription.words
    if not transcription.text:
        return "<p><em>Nobody speaks in it.</em></p>"
    if not words:
        return f"<p>{html.escape(transcription.text)}</p><p><small>{_NOTE}</small></p>"
    spans = _spans(transcription.segments)
    known = any(word.confidence is not None for word in words)
    return f"<p>{spans}</p>" + ("" if known else f"<p><small>{_NOTE}</small></p>")


def mean_confidence(words: Sequence[TimedWord]) -> float | None:
    """The mean of what is known; None where nothing is."""
    known = [word.confidence for word in words if word.confidence is not None]
    return sum(known) / len(known) if known else None


def _spans(segments: Sequence[Segment]) -> str:
    """The words of segments, with spaces where their text has them."""
    found = ""
    for before, segment in zip((None, *segments), segments, strict=False):
        found += "" if before is None else segment_space(before, segment)
        words = zip(segment.words or (), spaces(segment), strict=True)
        found += "".join(f"{space}{_span(word)}" for word, space in words)
    return found


def _span(word: TimedWord) -> str:
    text = html.escape(word.text)
    title = f"{word.start_seconds:.2f} to {word.end_seconds:.2f} s"
    if word.confidence is None:
        return f'<span title="{title}">{text}</span>'
    sure = min(1.0, max(0.0, word.confidence))
    colour = f"hsl({round(_GREEN * sure)}, 85%, 80%)"
    return (
        f'<span style="background: {colour}; color: #111; border-radius: 3px; padding: 0 2px" '
        f'title="{100 * sure:.0f} %, {title}">{text}</span>'
    )
