"""Where and how the parts run."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Context:
    """Where and how the parts run.

    Attributes:
        folder: For all of them: corpora, models, and a folder for each part.
        toy: Whether all is tiny and on the CPU.
        spawn: Whether each process starts from nothing, in place of a fork of one that has
            imported everything.
        jobs: Commands that run at a time where their time does not count.
    """

    folder: Path
    toy: bool
    spawn: bool
    jobs: int

    @property
    def corpora(self) -> Path:
        """Where the corpora lie."""
        return self.folder / "corpora"

    @property
    def models(self) -> Path:
        """Where models with random weights lie."""
        return self.folder / "models"

    def of_part(self, name: str) -> Path:
        """The folder of a part."""
        return self.folder / name

    def sized(self, real: Any, toy: Any) -> Any:
        """One of two sizes: of the day it is needed, and of the CPU."""
        return toy if self.toy else real

    def to_json(self) -> str:
        """As a process of its own is given it."""
        return json.dumps([str(self.folder), self.toy, self.spawn, self.jobs])

    @classmethod
    def from_json(cls, text: str) -> Context:
        """What :meth:`to_json` gave."""
        folder, toy, spawn, jobs = json.loads(text)
        return cls(Path(folder), toy, spawn, jobs)


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
