"""The process of a job, found again by whoever asks for it later."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress
from pathlib import Path

from mynah.errors import UserError
from mynah.launching.records import JobRecord


def this_machine() -> str:
    """The name of this machine."""
    return socket.gethostname()


def ticks_of(process: int) -> int | None:
    """When a process began, in the kernel's clock: its number may be given to another later. None
    where that is not known."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        fields = text.rpartition(")")[2].split()
        return None if fields[0] == "Z" else int(fields[19])
    except (OSError, ValueError, IndexError):
        return None


def is_elsewhere(record: JobRecord) -> bool:
    """Whether a job was started on another machine, where alone its process can be seen."""
    return record.machine != this_machine()


def is_alive(record: JobRecord) -> bool:
    """Whether the job's process runs on this machine."""
    if record.process is None or is_elsewhere(record):
        return False
    if record.began is not None:
        return ticks_of(record.process) == record.began
    try:
        os.kill(record.process, 0)
    except OSError:
        return False
    return True


def cancel(record: JobRecord) -> None:
    """Let a job save and end.

    Raises:
        UserError: It was started on another machine.
    """
    if is_elsewhere(record):
        raise UserError(
            f"Job {record.id} was started on {record.machine}, and is cancelled there.",
            where=f"mynah jobs cancel {record.id}",
            fix=f"ssh {record.machine}, and the same command in this folder",
        )
    if is_alive(record) and record.process is not None:
        with suppress(ProcessLookupError):
            os.kill(record.process, signal.SIGTERM)
