"""A server of transcriptions on loopback, for as long as a test needs it."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from mynah.inference.transcription import Segment, Transcription
from mynah.serving.app import make_app
from mynah.serving.options import ServingOptions
from mynah.serving.server import configured


@contextmanager
def served(recognizer, *, takes_context: bool = False, **limits) -> Iterator[str]:
    """The address of a server around a recognizer."""
    options = ServingOptions(names=("tiny",), **limits)
    server = configured(make_app(recognizer, options, takes_context=takes_context), options)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive(), "the server does not end"


@dataclass
class Listener:
    """A recognizer that says which bytes it was given, in the pieces of a second that it takes.

    Attributes:
        decode_seconds: How long a batch, or a piece, takes.
        batches: How many recordings each batch had.
        asked: (language, context, words) of each batch.
        open: Set: nothing is decoded before; cleared by a test that holds it up.
        failure: What decoding runs into, or None.
        pieces: Of a long recording.
    """

    decode_seconds: float = 0.0
    window_seconds: float = 5.0
    batches: list[int] = field(default_factory=list)
    asked: list[tuple[str | None, str, bool]] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)
    failure: Exception | None = None
    pieces: int = 5
    decoded_pieces: int = 0

    def __post_init__(self) -> None:
        self.open.set()

    def transcribe_many(self, audios, *, language=None, context="", words=False):
        audios = list(audios)
        self.batches.append(len(audios))
        self.asked.append((language, context, words))
        assert self.open.wait(60)
        time.sleep(self.decode_seconds)
        if self.failure is not None:
            raise self.failure
        for audio in audios:
            yield Transcription(said(audio), (Segment(0.0, 1.0, said(audio)),), 1.0)

    def stream_file(
        self, audio, *, language=None, context="", words=False, together_seconds=0.0, check=None
    ):
        segments = []
        for number in range(self.pieces):
            check(float(number))
            assert self.open.wait(60)
            time.sleep(self.decode_seconds)
            self.decoded_pieces += 1
            segments.append(Segment(number, number + 1.0, f"{said(audio)}-{number}"))
            yield segments[-1]
        text = " ".join(one.text for one in segments)
        return Transcription(text, tuple(segments), float(self.pieces))


def said(audio: bytes) -> str:
    """What :class:`Listener` makes of a file."""
    return hashlib.sha256(audio).hexdigest()[:16]
