"""A request and its answer: files in one folder, arrays in ``.npz``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

REQUEST, AUDIO, ANSWER, ARRAYS = "request.json", "audio.npz", "answer.jsonl", "arrays.npz"


@dataclass(frozen=True)
class ProgramRequest:
    """What a program is to do.

    Attributes:
        folder: Where the request lies, and the answer goes.
        model: The exported model.
        options: Whatever else the program needs.
    """

    folder: Path
    model: Path
    options: dict[str, Any]

    def audios(self) -> Iterator[np.ndarray]:
        """The recordings in order, float32 [samples] each."""
        with np.load(self.folder / AUDIO, allow_pickle=False) as held:
            for position in range(len(held.files)):
                yield held[str(position)]


def answer(serve: Callable[[ProgramRequest], Iterator[dict[str, Any]]]) -> None:
    """Serve the request that the command line names, a line of the answer for each recording."""
    folder = Path(sys.argv[1])
    written = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    request = ProgramRequest(folder, Path(written.pop("model")), written)
    with (folder / ANSWER).open("w", encoding="utf-8") as handle:
        for one in serve(request):
            handle.write(json.dumps(one) + "\n")
            handle.flush()
