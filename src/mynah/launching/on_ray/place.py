"""A job's own directory: what was started in it, and whether it is to stop."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path

JOB_VARIABLE = "MYNAH_RAY_JOB"
STARTS, STOP = "job.starts", "job.stop"
_PASSED_ON = re.compile(r"MYNAH_|HF_|OMP_|TOKENIZERS_|PYTHON|TORCH_")
_KEPT_BACK = re.compile(r"TOKEN$|SECRET|PASSWORD|_KEY$")


@dataclass(frozen=True)
class Start:
    """A start of a job's processes.

    Attributes:
        number: Which one it is, from 1.
        processes: How many there are.
        resumed: Whether it went on from a checkpoint of its own.
    """

    number: int
    processes: int
    resumed: bool


def job_directory() -> Path | None:
    """The directory of the job that this process is; None: it is none."""
    found = os.environ.get(JOB_VARIABLE)
    return Path(found) if found else None


def passed_on() -> dict[str, str]:
    """What of the environment goes with a job to its nodes: no secrets, and not that it is one."""
    return {
        name: value
        for name, value in os.environ.items()
        if _PASSED_ON.match(name) and not _KEPT_BACK.search(name) and name != JOB_VARIABLE
    }


def note_start(directory: Path, processes: int, *, resumed: bool) -> Start:
    """Write down that a job's processes start."""
    start = Start(len(read_starts(directory)) + 1, processes, resumed)
    with (directory / STARTS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(start)) + "\n")
    return start


def read_starts(directory: Path) -> list[Start]:
    """The starts of a job's processes."""
    try:
        lines = (directory / STARTS).read_text(encoding="utf-8").splitlines()
        return [Start(**json.loads(line)) for line in lines]
    except (OSError, ValueError, TypeError):
        return []


def forget(directory: Path) -> None:
    """Remove what an earlier job left in the directory."""
    for name in (STARTS, STOP):
        (directory / name).unlink(missing_ok=True)


def ask_to_stop(directory: Path, *, now: bool = False) -> None:
    """Let the job's processes end, wherever they are: once they have saved, or now."""
    (directory / STOP).write_text("now" if now else "save", encoding="utf-8")


def asked_to_stop(directory: Path) -> str:
    """``save`` or ``now``, where they are asked to end; else empty."""
    try:
        return (directory / STOP).read_text(encoding="utf-8")
    except OSError:
        return ""
