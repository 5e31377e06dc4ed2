"""Other programs, each started as a process that is given recordings and answers with texts."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mynah.errors import UserError
from mynah.export.foreign.exchange import ANSWER, ARRAYS, AUDIO, REQUEST

_LAST_LINES = 3  # of what a program printed before it failed


@dataclass(frozen=True)
class Program:
    """Something that runs an exported model.

    Attributes:
        name: What people call it.
        module: What of :mod:`mynah.export.foreign` starts it.
        packages: What has to be importable, by the name that it is installed by.
    """

    name: str
    module: str
    packages: Mapping[str, str]

    @property
    def missing(self) -> list[str]:
        """What is not installed."""
        return [
            installed
            for installed, imported in self.packages.items()
            if importlib.util.find_spec(imported) is None
        ]


def check_installed(program: Program) -> None:
    """Find out in advance whether a program can be started.

    Raises:
        UserError: A package of it is not installed.
    """
    if missing := program.missing:
        raise UserError(
            f"{program.name} is not installed: {', '.join(missing)} is missing.",
            where=f"python: {sys.executable}",
            fix='pip install "mynah-asr[export]"',
        )


def start(
    program: Program,
    model: Path,
    *,
    audios: Sequence[np.ndarray] = (),
    arrays: Mapping[str, np.ndarray] | None = None,
    **options: Any,
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Run a program over recordings.

    Args:
        program: Which.
        model: The exported model, as the program opens it.
        audios: float32 [samples] (or what the program takes for a recording) each.
        arrays: Further arrays that it is given.
        options: Whatever else its module reads.

    Returns:
        A line of its answer for each recording, and the arrays that it left.

    Raises:
        UserError: It fails, or aborts.
    """
    import torch

    options.setdefault("threads", torch.get_num_threads())  # as many as our model had
    with tempfile.TemporaryDirectory(prefix="mynah-export-") as place:
        folder = Path(place)
        request = {"model": str(model), **options}
        (folder / REQUEST).write_text(json.dumps(request), encoding="utf-8")
        _save(folder / AUDIO, {str(i): audio for i, audio in enumerate(audios)})
        _save(folder / ARRAYS, arrays or {})
        done = subprocess.run(
            [sys.executable, "-m", f"mynah.export.foreign.{program.module}", str(folder)],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise _failed(program, model, done)
        lines = (folder / ANSWER).read_text(encoding="utf-8").splitlines()
        left = folder / "logits.npz"
        found: dict[str, np.ndarray] = {}
        if left.is_file():
            with np.load(left, allow_pickle=False) as held:
                found = {name: held[name] for name in held.files}
    return [json.loads(line) for line in lines], found


def _save(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    given: dict[str, Any] = dict(arrays)
    np.savez(path, **given)


def _failed(program: Program, model: Path, done: subprocess.CompletedProcess[str]) -> UserError:
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()][-_LAST_LINES:]
    ended = (
        f"was ended by signal {-done.returncode}"
        if done.returncode < 0
        else f"ended with status {done.returncode}"
    )
    return UserError(
        f"{program.name} cannot run the exported model: it {ended}.",
        where=" | ".join(said) or str(model),
        fix=f"another version of {', '.join(program.packages)} may do; the model itself is intact",
    )
