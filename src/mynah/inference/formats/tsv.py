"""Tab-separated segments: start and end in milliseconds, text; as openai/whisper writes them."""

from __future__ import annotations

from mynah.inference.formats.format import Format
from mynah.inference.transcription import Transcription


def write(transcription: Transcription, name: str) -> str:
    """A header, and a line for each segment."""
    lines = [
        f"{round(1000 * one.start_seconds)}\t{round(1000 * one.end_seconds)}\t"
        f"{' '.join(one.text.split())}\n"
        for one in transcription.segments
    ]
    return "".join(["start\tend\ttext\n", *lines])


TSV = Format("tsv", ".tsv", write)
