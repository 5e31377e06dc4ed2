"""One utterance as a corpus lists it."""

from __future__ import annotations

from dataclasses import dataclass

OUTSIDE = "it reaches"  # what a fault begins with where words of a row are not in its piece


@dataclass(frozen=True)
class Row:
    """One utterance as a source finds it, before its audio is looked at.

    Attributes:
        id: Unique in its split.
        path: The audio file, or the shard that holds it; None where ``audio`` holds it.
        text: Its transcript, or None where it has none.
        audio: The bytes of an audio file.
        byte_offset: Where in ``path`` the bytes of the audio file begin; None: ``path`` is
            the audio file itself.
        byte_length: How many bytes the audio file has in its shard.
        offset_seconds: Where the utterance begins in the file.
        duration_seconds: How long it is; None: to the end of the file.
        channel: Which channel it is on; None: all are mixed.
        speaker: Who speaks, "" where that is not known.
        language: ISO 639-1 code, "" where that is not known.
        context: Names and terms that may be said in it, "" where none are given.
        source: Where it comes from, for people.
        overshoot_seconds: By how much it may be listed as longer than its recording is; it then
            ends with that.
        fault: Why it cannot be used, where its listing shows that; "" where it does not.
        columns: What else the corpus says of it, as its speaker's gender: an object of JSON,
            text by the column's name; "" where that is nothing.
        no_speech: Whether it is known to hold no speech: its transcript is then empty, and it
            is an example to learn from.
    """

    id: str
    path: str | None
    text: str | None
    audio: bytes | None = None
    byte_offset: int | None = None
    byte_length: int | None = None
    offset_seconds: float = 0.0
    duration_seconds: float | None = None
    channel: int | None = None
    speaker: str = ""
    language: str = ""
    source: str = ""
    no_speech: bool = False
    context: str = ""
    overshoot_seconds: float = 0.1
    fault: str = ""
    columns: str = ""
