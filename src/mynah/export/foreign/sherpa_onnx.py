"""sherpa-onnx, called as its users call it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from mynah.export.foreign.exchange import ProgramRequest, answer


def serve(request: ProgramRequest) -> Iterator[dict[str, Any]]:
    """``text`` and ``seconds`` of each recording."""
    import sherpa_onnx

    recognizer = sherpa_onnx.OfflineRecognizer.from_omnilingual_asr_ctc(
        model=str(request.model / "model.onnx"),
        tokens=str(request.model / "tokens.txt"),
        num_threads=request.options["threads"],
    )
    for audio in request.audios():
        started = time.perf_counter()
        stream = recognizer.create_stream()
        stream.accept_waveform(request.options["sample_rate"], audio)
        recognizer.decode_stream(stream)
        yield {"text": stream.result.text.strip(), "seconds": time.perf_counter() - started}


if __name__ == "__main__":
    answer(serve)
