"""How long a training had run when each step was logged, for people: what a better rate costs.

Kept beside the run and not in its checkpoints: no two trainings take equally long,
and their checkpoints are the same.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

MINUTES_FILE = "minutes.jsonl"


class Minutes(TrainerCallback):
    """Notes the minutes at the first log line of a step, evaluations and saves included.

    A resumed training continues at the time that its checkpoint's step had.

    Args:
        directory: Where ``minutes.jsonl`` lies.
        first_step: Of this call: 0, or that of the checkpoint that it resumes from.
    """

    def __init__(self, directory: Path, *, first_step: int) -> None:
        self._path = directory / MINUTES_FILE
        self._noted = {
            step: minutes
            for step, minutes in (_read(self._path) if first_step else {}).items()
            if step <= first_step
        }
        self._before = max(self._noted.values(), default=0.0)
        self._began = time.monotonic()

    @property
    def noted(self) -> Mapping[int, float]:
        """Minutes since the training began, by step."""
        return self._noted

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._began = time.monotonic()
        self._write("w", self._noted)

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        step = state.global_step
        if step not in self._noted:
            passed = (time.monotonic() - self._began) / 60
            self._noted[step] = round(self._before + passed, 4)
            self._write("a", {step: self._noted[step]})

    def _write(self, mode: str, noted: Mapping[int, float]) -> None:
        lines = [
            json.dumps({"step": step, "minutes": minutes}) + "\n" for step, minutes in noted.items()
        ]
        # A full disk costs a curve, never the training.
        with suppress(OSError), self._path.open(mode, encoding="utf-8") as file:
            file.writelines(lines)


def _read(path: Path) -> dict[int, float]:
    """What was noted, up to a line that a killed process left unfinished."""
    found: dict[int, float] = {}
    with suppress(OSError, ValueError, KeyError, TypeError):
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            found[int(entry["step"])] = float(entry["minutes"])
    return found
