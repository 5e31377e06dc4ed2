"""The process of a run, found again by whoever asks later, on this machine or on another."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from mynah.machine import machine_id, process_space


def this_process() -> dict[str, object]:
    """What ``run.json`` says of the current process: its number, and where that means it.

    Returns:
        ``process``; ``machine``, the name of this one, and ``machine_id``, which no other of that
        name has; ``process_space``, the start of the system and the namespace in which ``process``
        is the number. The last two are empty where they are not known.
    """
    return {
        "process": os.getpid(),
        "machine": socket.gethostname(),
        "machine_id": machine_id(),
        "process_space": process_space(),
    }


def elsewhere(record: Mapping[str, object]) -> str | None:
    """The machine of a run whose process cannot be seen from here, as that of another container;
    None: it can, or ``run.json`` is of a version that did not say where."""
    machine, space = record.get("machine"), record.get("process_space")
    here = process_space()
    if not isinstance(machine, str) or (space and space == here):
        return None
    is_this = machine == socket.gethostname() and not _is_another(record.get("machine_id"))
    if is_this and (space == here or _was_before(space, here)):
        return None
    return machine


def _is_another(recorded: object) -> bool:
    """Whether the id of a machine is that of another one; where one is not known, it is not."""
    here = machine_id()
    return bool(recorded and here) and recorded != here


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
