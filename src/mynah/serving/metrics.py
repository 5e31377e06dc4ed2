"""What a server counts, in the text format of Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_CLIPS = (1, 2, 4, 8, 16, 32)

__all__ = ["CONTENT_TYPE", "Metrics"]


class Metrics:
    """The counts of one server.

    Attributes:
        requests: Answers by their status.
        left: Clients that left before they were answered.
        seconds: From a transcription request's first byte to its answer's last.
        audio_seconds: Length of the recordings that were transcribed.
        batch_clips: Clips that were decoded together.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "mynah_requests", "Answered requests", ["status"], registry=self._registry
        )
        self.left = Counter(
            "mynah_clients_left", "Clients that left unanswered", registry=self._registry
        )
        self.seconds = Histogram(
            "mynah_request_seconds",
            "Time of a transcription request",
            registry=self._registry,
            buckets=_SECONDS,
        )
        self.audio_seconds = Counter(
            "mynah_audio_seconds", "Audio that was transcribed", registry=self._registry
        )
        self.batch_clips = Histogram(
            "mynah_batch_clips",
            "Clips decoded together",
            registry=self._registry,
            buckets=_CLIPS,
        )
        self._pending = Gauge(
            "mynah_pending_requests", "Requests that wait or are decoded", registry=self._registry
        )
        self._held = Gauge(
            "mynah_held_bytes", "Bytes of requests in memory", registry=self._registry
        )

    def text(self, *, pending: int, held_bytes: int) -> bytes:
        """All counts as Prometheus reads them."""
        self._pending.set(pending)
        self._held.set(held_bytes)
        return generate_latest(self._registry)
