"""whisper.cpp through pywhispercpp, called as its users call it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from mynah.export.foreign.exchange import ProgramRequest, answer

_SHORTEST = 16_160  # samples; whisper.cpp transcribes nothing that is shorter than 1 s
# One pass over the recording: no fallback, no times, nothing carried from window to window.
_GREEDY: dict[str, Any] = {
    "no_context": True,
    "no_timestamps": True,
    "single_segment": True,
    "temperature": 0.0,
    "temperature_inc": 0.0,
    "greedy": {"best_of": 1},
}


def serve(request: ProgramRequest) -> Iterator[dict[str, Any]]:
    """``text`` and ``seconds``; ``greedy`` of the options chooses between that and its defaults."""
    from pywhispercpp.model import Model

    model = Model(
        str(request.model),
        n_threads=request.options["threads"],
        print_progress=False,
        print_realtime=False,
        redirect_whispercpp_logs_to=None,
    )
    settings = _GREEDY if request.options["greedy"] else {}
    translate = request.options["task"] == "translate"
    for audio, language in zip(request.audios(), request.options["languages"], strict=True):
        started = time.perf_counter()
        filled = np.pad(audio, (0, max(0, _SHORTEST - len(audio))))
        segments = model.transcribe(
            filled, language=language or "auto", translate=translate, **settings
        )
        text = " ".join(segment.text.strip() for segment in segments).strip()
        yield {"text": text, "seconds": time.perf_counter() - started}


if __name__ == "__main__":
    answer(serve)
