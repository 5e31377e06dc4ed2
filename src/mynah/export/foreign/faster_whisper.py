"""faster-whisper, called as its users call it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from mynah.export.foreign.exchange import ProgramRequest, answer

# One pass over the recording: no fallback, no times, nothing carried from window to window.
_GREEDY: dict[str, Any] = {
    "beam_size": 1,
    "best_of": 1,
    "temperature": 0.0,
    "without_timestamps": True,
    "condition_on_previous_text": False,
    "compression_ratio_threshold": None,
    "log_prob_threshold": None,
    "no_speech_threshold": None,
    "vad_filter": False,
}


def serve(request: ProgramRequest) -> Iterator[dict[str, Any]]:
    """``text`` and ``seconds``; ``greedy`` of the options chooses between that and its defaults."""
    from faster_whisper import WhisperModel

    model = WhisperModel(
        str(request.model),
        device="cpu",
        compute_type=request.options["compute_type"],
        cpu_threads=request.options["threads"],
        local_files_only=True,
    )
    settings = _GREEDY if request.options["greedy"] else {}
    for audio, language in zip(request.audios(), request.options["languages"], strict=True):
        started = time.perf_counter()
        segments, _ = model.transcribe(
            audio, language=language or None, task=request.options["task"], **settings
        )
        text = "".join(segment.text for segment in segments).strip()
        yield {"text": text, "seconds": time.perf_counter() - started}


if __name__ == "__main__":
    answer(serve)
