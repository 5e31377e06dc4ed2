"""transformers, on the inputs of a model that are given, or on recordings by its own pipeline."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from mynah.export.foreign.exchange import ARRAYS, ProgramRequest, answer


def serve(request: ProgramRequest) -> Iterator[dict[str, Any]]:
    """With ``recordings`` of the options the model alone on arrays ``N NAME``: ``tokens`` of a
    model that generates, else logits in arrays beside the answer. Without, ``text`` and
    ``seconds``; ``greedy`` chooses between one beam and the pipeline's defaults."""
    import torch

    torch.set_num_threads(request.options["threads"])
    with torch.inference_mode():
        yield from _inputs(request) if "recordings" in request.options else _recordings(request)


def _inputs(request: ProgramRequest) -> Iterator[dict[str, Any]]:
    import torch
    from transformers import AutoModelForCTC, AutoModelForSpeechSeq2Seq

    generates = request.options["generates"]
    kind = AutoModelForSpeechSeq2Seq if generates else AutoModelForCTC
    model = kind.from_pretrained(request.model, local_files_only=True).eval()
    found = {}
    with np.load(request.folder / ARRAYS, allow_pickle=False) as held:
        for position in range(request.options["recordings"]):
            names = [one for one in held.files if one.partition(" ")[0] == str(position)]
            given = {one.partition(" ")[2]: torch.from_numpy(held[one]) for one in names}
            if not generates:
                found[str(position)] = model(**given).logits[0].numpy()
                yield {}
                continue
            task = request.options["tasks"][position]
            tokens = model.generate(**given, num_beams=1, do_sample=False, **task)
            yield {"tokens": tokens[0].tolist()}
    np.savez(request.folder / "logits.npz", **found)


def _recordings(request: ProgramRequest) -> Iterator[dict[str, Any]]:
    from transformers import pipeline

    recognize: Any = pipeline("automatic-speech-recognition", str(request.model), device="cpu")
    options = request.options
    for position, audio in enumerate(request.audios()):
        started = time.perf_counter()
        how: dict[str, Any] = {}
        if options["generates"]:
            how["generate_kwargs"] = dict(options["tasks"][position])
            if options["greedy"]:
                how["generate_kwargs"]["num_beams"] = 1
        text = recognize({"raw": audio, "sampling_rate": options["sample_rate"]}, **how)["text"]
        yield {"text": text.strip(), "seconds": time.perf_counter() - started}


if __name__ == "__main__":
    answer(serve)
