"""sherpa-onnx, called as its users call it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from mynah.export.foreign.exchange import ProgramRequest, answer


def serve(request: ProgramRequest) -> Iterator[dict[str, Any]]:
    """``text`` and ``seconds`` of each recording; of a Whisper in the ``languages`` of the options,
    "" where it is to find out itself."""
    opened: dict[str, Any] = {}
    languages = request.options.get("languages")
    for position, audio in enumerate(request.audios()):
        language = languages[position] if languages else ""
        if language not in opened:
            opened[language] = _whisper(request, language) if languages else _ctc(request)
        recognizer = opened[language]
        started = time.perf_counter()
        stream = recognizer.create_stream()
        stream.accept_waveform(request.options["sample_rate"], audio)
        recognizer.decode_stream(stream)
        yield {"text": stream.result.text.strip(), "seconds": time.perf_counter() - started}


def _ctc(request: ProgramRequest) -> Any:
    import sherpa_onnx

    return sherpa_onnx.OfflineRecognizer.from_omnilingual_asr_ctc(
        model=str(request.model / "model.onnx"),
        tokens=str(request.model / "tokens.txt"),
        num_threads=request.options["threads"],
    )


def _whisper(request: ProgramRequest, language: str) -> Any:
    import sherpa_onnx

    return sherpa_onnx.OfflineRecognizer.from_whisper(
        encoder=str(request.model / "encoder.onnx"),
        decoder=str(request.model / "decoder.onnx"),
        tokens=str(request.model / "tokens.txt"),
        language=language,
        task=request.options["task"],
        num_threads=request.options["threads"],
    )


if __name__ == "__main__":
    answer(serve)
