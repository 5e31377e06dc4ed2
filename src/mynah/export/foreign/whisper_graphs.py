"""onnxruntime on the two graphs of a Whisper, from features that are given, greedily."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mynah.export.foreign.exchange import ProgramRequest, answer


def serve(request: ProgramRequest) -> Iterator[dict[str, Any]]:
    """``tokens`` of each recording's features [bins, frames], without prompt and end."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = request.options["threads"]
    encoder, decoder = (
        onnxruntime.InferenceSession(
            str(request.model / name), options, providers=["CPUExecutionProvider"]
        )
        for name in ("encoder.onnx", "decoder.onnx")
    )
    size = next(one.shape for one in decoder.get_inputs() if one.name.startswith("in_"))
    given = request.options
    for features, prompt, most in zip(
        request.audios(), given["prompts"], given["most_tokens"], strict=True
    ):
        keys, values = encoder.run(None, {"mel": features[None]})
        kept = [np.zeros(size, np.float32)] * 2
        tokens, offset = list(prompt), 0
        found: list[int] = []
        while True:
            logits, *kept = decoder.run(
                ["logits", "out_n_layer_self_k_cache", "out_n_layer_self_v_cache"],
                {
                    "tokens": np.array([tokens], np.int64),
                    "in_n_layer_self_k_cache": kept[0],
                    "in_n_layer_self_v_cache": kept[1],
                    "n_layer_cross_k": keys,
                    "n_layer_cross_v": values,
                    "offset": np.array([offset], np.int64),
                },
            )
            offset += len(tokens)
            token = int(logits[0, -1].argmax())
            if token == given["end"] or len(found) == most:
                break
            found.append(token)
            if offset == size[2]:
                break
            tokens = [token]
        yield {"tokens": found}


if __name__ == "__main__":
    answer(serve)
