"""A transcript in the formats of OpenAI's protocol."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Collection
from typing import TypeAlias

from starlette.responses import JSONResponse, PlainTextResponse, Response

from mynah.inference.formats import srt, text, vtt
from mynah.inference.formats.json import word_as_json
from mynah.inference.joining import segment_space
from mynah.inference.transcription import Segment, Transcription

ANSWER_FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
NEEDS_WORDS = ("srt", "vtt")  # subtitles are cut between words
_FRAME_SECONDS = 0.01  # what openai/whisper counts `seek` in
_DIGITS = 3

Json: TypeAlias = "dict[str, Json] | list[Json] | str | float | int | None"


def answer_to(
    transcription: Transcription, format: str, granularities: Collection[str] = ("segment",)
) -> Response:
    """The answer to a transcription request.

    Args:
        transcription: The transcript.
        format: One of :data:`ANSWER_FORMATS`.
        granularities: What verbose_json lists, ``segment`` and ``word``.
    """
    if format == "json":
        return JSONResponse({"text": transcription.text, "usage": usage(transcription)})
    if format == "verbose_json":
        return JSONResponse(_verbose(transcription, granularities))
    if format == "srt":
        return PlainTextResponse(srt.write(transcription, ""))
    if format == "vtt":
        return PlainTextResponse(vtt.write(transcription, ""), media_type="text/vtt")
    return PlainTextResponse(text.write(transcription, ""))


def usage(transcription: Transcription) -> Json:
    """What was transcribed, as it would be charged for."""
    return {"type": "duration", "seconds": math.ceil(transcription.duration_seconds)}


def event(content: Json) -> bytes:
    """One server-sent event."""
    return f"data: {json.dumps(content, ensure_ascii=False)}\n\n".encode()


def delta_event(segment: Segment, before: Segment | None) -> bytes:
    """A segment of a streamed transcript; all deltas together are its text.

    Args:
        segment: The segment.
        before: The one before it; None: it is the first.
    """
    space = "" if before is None else segment_space(before, segment)
    return event({"type": "transcript.text.delta", "delta": f"{space}{segment.text}"})


def done_event(transcription: Transcription) -> bytes:
    """The end of a streamed transcript, with what it misses a part of, if it does: a field that is
    ours, which clients of OpenAI's protocol pass over."""
    content: dict[str, Json] = {
        "type": "transcript.text.done",
        "text": transcription.text,
        "usage": usage(transcription),
    }
    if incomplete := transcription.guarded.incomplete:
        content["mynah_incomplete"] = list(incomplete)
    return event(content)


def _verbose(transcription: Transcription, granularities: Collection[str]) -> Json:
    found: dict[str, Json] = {
        "task": "transcribe",
        "language": transcription.language or "",
        "duration": round(transcription.duration_seconds, _DIGITS),
        "text": transcription.text,
        "usage": usage(transcription),
    }
    if "segment" in granularities:
        found["segments"] = [_segment(n, one) for n, one in enumerate(transcription.segments)]
    if "word" in granularities:
        found["words"] = [{**word_as_json(one)} for one in transcription.words or ()]
    return found


def _segment(number: int, segment: Segment) -> Json:
    """A segment with the fields that OpenAI's clients expect.

    What the model does not tell is said as null; only stretches with speech are decoded, so that
    the probability of none is 0.
    """
    content = segment.text.encode()
    return {
        "id": number,
        "seek": round(segment.start_seconds / _FRAME_SECONDS),
        "start": round(segment.start_seconds, _DIGITS),
        "end": round(segment.end_seconds, _DIGITS),
        "text": segment.text,
        "tokens": list(segment.tokens),
        "temperature": 0.0,
        "avg_logprob": _mean_log_probability(segment),
        "compression_ratio": round(len(content) / len(zlib.compress(content)), _DIGITS),
        "no_speech_prob": 0.0,
    }


def _mean_log_probability(segment: Segment) -> float | None:
    """Of a token and the end, as openai/whisper has it."""
    known = segment.log_probability
    if known is None or not segment.tokens or not math.isfinite(known):
        return None
    return round(known / (len(segment.tokens) + 1), 4)
