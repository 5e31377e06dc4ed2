"""SubRip: numbered subtitles."""

from __future__ import annotations

from mynah.inference.formats.cues import clock, cues
from mynah.inference.formats.format import Format
from mynah.inference.transcription import Transcription


def write(transcription: Transcription, name: str) -> str:
    """A block for each subtitle, an empty line between two."""
    blocks = [
        f"{number}\n{clock(cue.start_milliseconds, ',')} --> {clock(cue.end_milliseconds, ',')}\n"
        f"{cue.text.replace('-->', '->')}\n"
        for number, cue in enumerate(cues(transcription), 1)
    ]
    return "\n".join(blocks)


SRT = Format("srt", ".srt", write, needs_words=True)
