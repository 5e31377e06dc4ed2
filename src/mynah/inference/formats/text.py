"""Plain text: the transcript, and nothing else."""

from __future__ import annotations

from mynah.inference.formats.format import Format
from mynah.inference.transcription import Transcription


def write(transcription: Transcription, name: str) -> str:
    """All that is said in one line."""
    return " ".join(transcription.text.split("\n")) + "\n"


TXT = Format("txt", ".txt", write)
