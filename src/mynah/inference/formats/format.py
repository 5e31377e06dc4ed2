"""What a format is: a name, the suffix of its files, and what it makes of a transcript."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mynah.inference.transcription import Transcription


@dataclass(frozen=True)
class Format:
    """One format of transcripts.

    Attributes:
        name: As it is asked for.
        suffix: Of its files.
        write: A transcript, and the name of its recording, to the content of a file.
        needs_words: Whether it is better with the times of words.
    """

    name: str
    suffix: str
    write: Callable[[Transcription, str], str]
    needs_words: bool = False
