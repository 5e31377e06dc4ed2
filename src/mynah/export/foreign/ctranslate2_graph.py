"""CTranslate2's own model of a Whisper, on features that are given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mynah.export.foreign.exchange import ProgramRequest, answer


def serve(request: ProgramRequest) -> Iterator[dict[str, Any]]:
    """Greedy decoding; ``tokens`` without the prompt and the end."""
    import ctranslate2

    model = ctranslate2.models.Whisper(
        str(request.model),
        device="cpu",
        compute_type=request.options["compute_type"],
        intra_threads=request.options["threads"],
    )
    for features, prompt in zip(request.audios(), request.options["prompts"], strict=True):
        given = ctranslate2.StorageView.from_array(np.ascontiguousarray(features[None]))
        (found,) = model.generate(
            given, [prompt], beam_size=1, max_length=request.options["most_tokens"]
        )
        yield {"tokens": found.sequences_ids[0]}


if __name__ == "__main__":
    answer(serve)
