"""``POST /v1/audio/transcriptions``: a form in, a transcript out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mynah.data.audio import files
from mynah.errors import UserError
from mynah.inference.transcription import Segment, Transcription
from mynah.serving import answers
from mynah.serving.fields import Fields, read_fields
from mynah.serving.jobs import AskedTranscription, TranscriptionJob
from mynah.serving.metrics import Metrics
from mynah.serving.options import ServingOptions
from mynah.serving.problems import (
    ClientGone,
    Refused,
    busy,
    out_of_time,
    too_long,
    unreadable_audio,
)
from mynah.serving.scheduler import Scheduler
from mynah.serving.uploads import Account, HeldUpload, file_of, read_form

# An event stream is not to be held back by what is between here and the client.
_STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


class Transcriptions:
    """Answers transcription requests.

    Args:
        scheduler: What decodes.
        window_seconds: Longer recordings are decoded piece by piece.
        takes_context: Whether the model makes something of names and terms.
        options: The server's limits.
        metrics: What is counted.

    Attributes:
        held: The bytes of requests in memory.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        window_seconds: float,
        options: ServingOptions,
        metrics: Metrics,
        *,
        takes_context: bool,
    ) -> None:
        self.held = HeldUpload(options.most_held_bytes)
        self._scheduler = scheduler
        self._window_seconds = window_seconds
        self._options = options
        self._metrics = metrics
        self._takes_context = takes_context

    async def __call__(self, request: Request) -> Response:
        """Answer one request.

        Raises:
            Refused: There is no transcript, and why.
            Gone: The client has left.
        """
        self._scheduler.check_room()
        with self.held.account() as account:
            fields, job = await self._received(request, account)
            self._scheduler.submit(job)
            if fields.is_streamed:
                release = account.moved()
                job.done.add_done_callback(lambda _: release())
                stream = self._events(job)
                headers = {**_STREAM_HEADERS, **self._ignored(fields)}
                return StreamingResponse(stream, headers=headers, media_type="text/event-stream")
            with self._metrics.seconds.time():
                await self._outcome(job, request)
        found = job.done.result()
        response = answers.answer_to(found, fields.format, fields.granularities)
        response.headers.update(self._ignored(fields))
        if found.guarded.incomplete:
            response.headers["X-Mynah-Incomplete"] = ", ".join(found.guarded.incomplete)
        return response

    async def _received(
        self, request: Request, account: Account
    ) -> tuple[Fields, TranscriptionJob]:
        """The fields of a request, and its recording as a job."""
        form = await read_form(request, self._options, account)
        fields = read_fields(form)
        if fields.model not in self._options.names:
            raise Refused(
                404,
                "model_not_found",
                f"The model {fields.model[:100]!r} is not served here; there is: "
                f"{', '.join(self._options.names)}.",
                param="model",
            )
        audio = await file_of(form)
        await form.close()
        seconds = await asyncio.to_thread(_length, audio, self._window_seconds)
        if seconds is not None and seconds > self._options.most_seconds:
            raise too_long(self._options.most_seconds)
        context = ", ".join(one.strip() for one in fields.prompt.splitlines() if one.strip())
        words = "word" in fields.granularities or fields.format in answers.NEEDS_WORDS
        job = TranscriptionJob(
            audio,
            AskedTranscription(fields.language, context if self._takes_context else "", words),
            is_long=seconds is None or seconds > self._window_seconds,
            is_streamed=fields.is_streamed,
            most_seconds=self._options.most_seconds,
        )
        return fields, job

    async def _outcome(self, job: TranscriptionJob, request: Request) -> None:
        """Wait until the job is done, its client has left, or its time is over."""
        leaving = asyncio.create_task(_left(request))
        watched: list[asyncio.Future[Transcription] | asyncio.Future[None]] = [job.done, leaving]
        try:
            await asyncio.wait(
                watched,
                timeout=self._options.request_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if job.done.done():
                return
            raise ClientGone if leaving.done() else self._late(job)
        finally:
            leaving.cancel()
            if not job.done.done():
                job.cancel()

    def _late(self, job: TranscriptionJob) -> Refused:
        seconds = self._options.request_seconds
        return out_of_time(seconds) if job.has_begun else busy(seconds / 10)

    async def _events(self, job: TranscriptionJob) -> AsyncIterator[bytes]:
        """A streamed transcript, event by event; a client that leaves ends it."""
        started = time.monotonic()
        ends = started + self._options.request_seconds
        before: Segment | None = None
        try:
            while True:
                left = ends - time.monotonic()
                segment = await asyncio.wait_for(job.segments.get(), max(0.0, left))
                if segment is None:
                    break
                yield answers.delta_event(segment, before)
                before = segment
            yield answers.done_event(await job.done)
            yield b"data: [DONE]\n\n"
        except TimeoutError:
            yield answers.event(self._late(job).as_event())
        except Refused as problem:
            yield answers.event(problem.as_event())
        finally:
            self._metrics.seconds.observe(time.monotonic() - started)
            if not job.done.done():
                self._metrics.left.inc()
                job.cancel()

    def _ignored(self, fields: Fields) -> dict[str, str]:
        """A header that says what has no effect on this model."""
        return {"X-Mynah-Ignored": "prompt"} if fields.prompt and not self._takes_context else {}


def _length(audio: bytes, window_seconds: float) -> float | None:
    """Seconds of a recording; None of one longer than a window whose header does not tell.

    Raises:
        Refused: It is not audio.
    """
    try:
        header = files.probe(audio)
        if header.duration_seconds is not None:
            return header.duration_seconds
        # As phones and browsers record: decoded, so that a clip need not wait as a long one would.
        seconds = 0.0
        for block in files.stream(audio, header.sample_rate):
            seconds += len(block) / header.sample_rate
            if seconds > window_seconds:
                return None
        return seconds
    except UserError as problem:
        raise unreadable_audio(problem.what.rstrip(".")) from None
    except (ValueError, OSError) as problem:
        raise unreadable_audio(str(problem).rstrip(".")) from None


async def _left(request: Request) -> None:
    """Ends when the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
