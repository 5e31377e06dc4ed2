"""WebVTT, the subtitles of browsers (w3.org/TR/webvtt1)."""

from __future__ import annotations

import html

from mynah.inference.formats.cues import Cue, clock, cues
from mynah.inference.formats.format import Format
from mynah.inference.transcription import Transcription


def write(transcription: Transcription, name: str) -> str:
    """A header, and a block for each subtitle; a channel is a voice."""
    blocks = [
        f"{clock(cue.start_milliseconds, '.')} --> {clock(cue.end_milliseconds, '.')}\n"
        f"{_text(cue)}\n"
        for cue in cues(transcription)
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def _text(cue: Cue) -> str:
    text = html.escape(cue.text, quote=False)
    return text if cue.channel is None else f"<v Channel {cue.channel + 1}>{text}"


VTT = Format("vtt", ".vtt", write, needs_words=True)
