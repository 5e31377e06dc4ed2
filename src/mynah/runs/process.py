"""The process of a run, found again by whoever asks later, on this machine or on another."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from mynah.machine import process_space


def this_process() -> dict[str, object]:
    """What ``run.json`` says of the current process: its number, and where that means it.

    Returns:
        ``process``; ``machine``, the name of this one; ``process_space``, the start of the system
        and the namespace in which ``process`` is the number, empty where that is not known.
    """
    return {
        "process": os.getpid(),
        "machine": socket.gethostname(),
        "process_space": process_space(),
    }


def elsewhere(record: Mapping[str, object]) -> str | None:
    """The machine of a run whose process cannot be seen from here, as that of another container;
    None: it can, or ``run.json`` is of a version that did not say where."""
    machine, space = record.get("machine"), record.get("process_space")
    here = process_space()
    if not isinstance(machine, str) or (space and space == here):
        return None
    if machine == socket.gethostname() and (space == here or _was_before(space, here)):
        return None
    return machine


def is_gone(record: Mapping[str, object]) -> bool:
    """Whether the process of a run has ended for sure; one that cannot be seen has not."""
    if elsewhere(record) is not None:
        return False
    if _was_before(record.get("process_space"), process_space()):
        return True
    process = record.get("process")
    if not isinstance(process, int) or process <= 0:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _was_before(space: object, here: str) -> bool:
    """Whether a process space of this machine is of another start of its system than now."""
    if not isinstance(space, str) or not space or not here:
        return False
    return space.partition("/")[0] != here.partition("/")[0]
