"""onnxruntime, on the inputs of a graph that are given, or on recordings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from mynah.export.foreign.exchange import ARRAYS, ProgramRequest, answer


def serve(request: ProgramRequest) -> Iterator[dict[str, Any]]:
    """``seconds``; the logits go to arrays beside the answer, float32 [frames, labels] each.

    The inputs of recording N are arrays ``N NAME``.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = request.options["threads"]
    session = onnxruntime.InferenceSession(
        str(request.model), options, providers=["CPUExecutionProvider"]
    )
    names = [one.name for one in session.get_inputs()]
    found = {}
    with np.load(request.folder / ARRAYS, allow_pickle=False) as held:
        for position in range(request.options["recordings"]):
            inputs = {name: held[f"{position} {name}"] for name in names}
            started = time.perf_counter()
            (logits,) = session.run(["logits"], inputs)
            found[str(position)] = logits[0]
            yield {"seconds": time.perf_counter() - started}
    np.savez(request.folder / "logits.npz", **found)


if __name__ == "__main__":
    answer(serve)
