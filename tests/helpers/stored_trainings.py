"""Trainings as commands that find a bucket, and the weights that they end in."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from buckets import Bucket
from forked_commands import environment


class Trainings:
    """Trainings with settings in common.

    Args:
        settings: Of all of them.
    """

    def __init__(self, settings: Sequence[str]) -> None:
        self._settings = settings

    def command(self, *settings: str) -> list[str]:
        """The command of one."""
        return [sys.executable, "-m", "mynah.cli", "train", *self._settings, *settings]

    def run(
        self, folder: Path, stored: Bucket, *settings: str, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """One in a folder, which may be new, to its end."""
        folder.mkdir(exist_ok=True)
        return subprocess.run(
            self.command(*settings), cwd=folder, env=environment(**stored.environment, **more),
            capture_output=True, text=True, check=False,
        )  # fmt: skip


def model_of(folder: Path) -> bytes:
    """The weights of the only run below a folder."""
    (weights,) = folder.glob("outputs/*/*/model/model.safetensors")
    return weights.read_bytes()
