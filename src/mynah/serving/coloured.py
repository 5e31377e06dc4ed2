"""The words of a transcript, coloured by how likely they are right."""

from __future__ import annotations

import html
from collections.abc import Sequence

from mynah.inference.transcription import TimedWord, Transcription

_GREEN = 120  # degrees on the colour circle, from red
_NOTE = "This model tells no confidence of its words."


def coloured(transcription: Transcription) -> str:
    """A transcript as HTML: red is doubtful, green is sure; a word shows its figures."""
    words = transcription.words
    if not transcription.text:
        return "<p><em>Nobody speaks in it.</em></p>"
    if not words:
        return f"<p>{html.escape(transcription.text)}</p><p><small>{_NOTE}</small></p>"
    spans = " ".join(_span(word) for word in words)
    known = any(word.confidence is not None for word in words)
    return f"<p>{spans}</p>" + ("" if known else f"<p><small>{_NOTE}</small></p>")


def mean_confidence(words: Sequence[TimedWord]) -> float | None:
    """The mean of what is known; None where nothing is."""
    known = [word.confidence for word in words if word.confidence is not None]
    return sum(known) / len(known) if known else None


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
