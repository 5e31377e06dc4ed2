"""Requests to the model: clips in batches as they come, long recordings one after the other.

Two threads decode. One takes all clips that wait at once, up to a batch; while it decodes, the next
ones gather. The other takes long recordings piece by piece. Both share the model by its lock, so
that a recording of an hour holds a clip up for a batch of its pieces, and not for an hour.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from mynah.errors import UserError
from mynah.inference.sound import AudioInput
from mynah.inference.transcription import Segment, Transcription
from mynah.machine import TOO_LONG
from mynah.serving.jobs import AskedTranscription, Cancelled, TranscriptionJob
from mynah.serving.metrics import Metrics
from mynah.serving.options import ServingOptions
from mynah.serving.problems import Refused, bad_field, busy, failed, unreadable_audio

_LOG = logging.getLogger("mynah")
_TOGETHER_SECONDS = 120.0  # of the pieces of a long recording that are decoded at once
_FADING = 0.1  # how much the newest request counts in the mean time of one
_MOST_WAIT_SECONDS = 60.0  # that a client is asked to wait
_CUT = {
    "text": "it has as many tokens as model.generation_max_length allows, and no end",
    "recording": "its file ends before the header says",
}
_FAULT = re.compile(  # of a decoder, by its type, or that memory ran out
    rf"\w*(Error|Exception|Interrupt|Warning)\b: |.*\b{TOO_LONG}\b"
)


class Transcriber(Protocol):
    """What of :class:`mynah.inference.recognizer.Recognizer` is needed."""

    @property
    def window_seconds(self) -> float: ...

    def transcribe_many(
        self,
        audios: Iterable[AudioInput],
        *,
        language: str | None = None,
        context: str = "",
        words: bool = False,
    ) -> Iterator[Transcription]: ...

    def stream_file(
        self,
        audio: AudioInput,
        *,
        language: str | None = None,
        context: str = "",
        words: bool = False,
        together_seconds: float = 0.0,
        check: Callable[[float], None] | None = None,
    ) -> Generator[Segment, None, Transcription]: ...


class Scheduler:
    """A bounded queue before a model.

    Args:
        recognizer: The model.
        options: The server's limits.
        metrics: What is counted.
    """

    def __init__(self, recognizer: Transcriber, options: ServingOptions, metrics: Metrics) -> None:
        self._recognizer = recognizer
        self._options = options
        self._metrics = metrics
        self._clips: asyncio.Queue[TranscriptionJob] = asyncio.Queue()
        self._recordings: asyncio.Queue[TranscriptionJob] = asyncio.Queue()
        self._pending: set[TranscriptionJob] = set()
        self._job_seconds = 0.5  # that a request takes of the model, about
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="decoding")
        self._lanes: list[asyncio.Task[None]] = []

    @property
    def pending(self) -> int:
        """Requests that wait or are decoded."""
        return len(self._pending)

    def start(self) -> None:
        """Begin to decode; within a running event loop."""
        self._lanes = [
            asyncio.create_task(self._decode_clips()),
            asyncio.create_task(self._decode_recordings()),
        ]

    async def stop(self) -> None:
        """End; what still waits is not decoded any more."""
        for job in list(self._pending):
            job.cancel()
        for lane in self._lanes:
            lane.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await lane
        await asyncio.to_thread(self._threads.shutdown)

    def check_room(self) -> None:
        """Look whether another request is taken.

        Raises:
            Refused: As many wait as there may be.
        """
        if self.pending >= self._options.queue:
            raise busy(min(_MOST_WAIT_SECONDS, self.pending * self._job_seconds))

    def submit(self, job: TranscriptionJob) -> None:
        """Put a job into the queue.

        Raises:
            Refused: It is full.
        """
        self.check_room()
        self._pending.add(job)
        job.done.add_done_callback(lambda _: self._pending.discard(job))
        (self._recordings if job.is_long else self._clips).put_nowait(job)

    async def _decode_clips(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            jobs = [await self._clips.get()]
            while len(jobs) < self._options.batch_size and not self._clips.empty():
                jobs.append(self._clips.get_nowait())
            alike: dict[AskedTranscription, list[TranscriptionJob]] = defaultdict(list)
            for job in jobs:
                if not job.is_cancelled:
                    alike[job.asked].append(job)
            for asked, group in alike.items():
                started = time.monotonic()
                for job in group:
                    job.has_begun = True
                self._metrics.batch_clips.observe(len(group))
                audios = [job.audio for job in group]
                try:
                    found = await loop.run_in_executor(
                        self._threads, self._transcripts, audios, asked
                    )
                except Exception as problem:
                    for job in group:
                        job.fail(_refusal(problem))
                    continue
                for job, transcription in zip(group, found, strict=True):
                    self._settle(job, transcription)
                self._note_time((time.monotonic() - started) / len(group))

    def _transcripts(self, audios: list[bytes], asked: AskedTranscription) -> list[Transcription]:
        found = self._recognizer.transcribe_many(
            audios, language=asked.language, context=asked.context, words=asked.words
        )
        return list(found)

    async def _decode_recordings(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            job = await self._recordings.get()
            if job.is_cancelled:
                continue
            started = time.monotonic()
            job.has_begun = True
            try:
                found = await loop.run_in_executor(self._threads, self._streamed, job, loop)
            except Cancelled:
                continue
            except Exception as problem:
                job.fail(_refusal(problem))
                continue
            self._settle(job, found, was_streamed=True)
            self._note_time(time.monotonic() - started)

    def _streamed(self, job: TranscriptionJob, loop: asyncio.AbstractEventLoop) -> Transcription:
        """Decode a recording piece by piece, in a thread."""
        segments = self._recognizer.stream_file(
            job.audio,
            language=job.asked.language,
            context=job.asked.context,
            words=job.asked.words,
            together_seconds=0.0 if job.is_streamed else _TOGETHER_SECONDS,
            check=job.check,
        )
        while True:
            try:
                segment = next(segments)
            except StopIteration as end:
                found: Transcription = end.value
                return found
            if job.is_streamed:
                loop.call_soon_threadsafe(job.segments.put_nowait, segment)

    def _settle(
        self, job: TranscriptionJob, transcription: Transcription, *, was_streamed: bool = False
    ) -> None:
        if transcription.error is not None:
            job.fail(_unreadable(transcription.error))
            return
        self._metrics.audio_seconds.inc(transcription.duration_seconds)
        if incomplete := transcription.guarded.incomplete:
            _LOG.warning(
                "A transcript is incomplete: %s", "; ".join(_CUT[one] for one in incomplete)
            )
        if job.is_streamed and not was_streamed:
            for segment in transcription.segments:
                job.segments.put_nowait(segment)
        job.finish(transcription)

    def _note_time(self, seconds: float) -> None:
        self._job_seconds += _FADING * (seconds - self._job_seconds)


def _refusal(problem: Exception) -> Refused:
    """What a client reads of a failure; the log has the rest."""
    if isinstance(problem, Refused):
        return problem
    if isinstance(problem, UserError):
        reason = problem.what.removeprefix("This cannot be transcribed: ")
        if reason != problem.what:
            return _unreadable(reason.rstrip("."))
        return bad_field("language", problem.what)
    return _fault(f"{type(problem).__name__}: {problem}", problem)


def _unreadable(reason: str) -> Refused:
    return _fault(reason) if _FAULT.match(reason) else unreadable_audio(reason)


def _fault(reason: str, problem: Exception | None = None) -> Refused:
    refused = failed(f"fault-{time.time_ns():x}")
    _LOG.error("%s: %s", refused.message, reason, exc_info=problem)
    return refused
