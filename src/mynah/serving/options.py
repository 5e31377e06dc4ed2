"""What a server is started with."""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class ServingOptions:
    """The limits of a server, and who may use it.

    Attributes:
        names: What clients call the model, at least one; the first is the one that is listed.
        host: The address that is listened at.
        port: The port; 0: any that is free.
        token: What clients have to send; None: nothing.
        queue: Requests that wait or are decoded, at most; one more is answered with 503.
        batch_size: Clips that are decoded at once, at most.
        most_bytes: Of one request.
        most_held_bytes: Of all requests that are received or wait.
        most_seconds: Of one recording.
        upload_seconds: Time that a client has to send a request.
        request_seconds: Time from the end of sending to the transcript.
        header_seconds: Time that a client has from connecting to the end of its headers.
        connections: At once, at most.
    """

    names: tuple[str, ...]
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    queue: int = 64
    batch_size: int = 16
    most_bytes: int = 25 * MEBIBYTE
    most_held_bytes: int = 512 * MEBIBYTE
    most_seconds: float = 2 * 3600.0
    upload_seconds: float = 60.0
    request_seconds: float = 600.0
    header_seconds: float = 20.0
    connections: int = 1000
