"""Checkpoints of later steps than the one that a training resumes from, and those of which not one
is intact: set aside, not removed.

::

    model/checkpoint-700            resumed from: its training takes another course from here on
    model/set_aside/checkpoint-1400 of the course before; no longer what ``last`` means
"""

from __future__ import annotations

import stat
from contextlib import suppress
from pathlib import Path

from mynah import files
from mynah.checkpoints.commit import is_intact, step_of
from mynah.errors import UserError
from mynah.runs.directory import SET_ASIDE, SUMS, claim, named_checkpoints


def set_aside(model_directory: Path, *, after: int) -> list[Path]:
    """Move the checkpoints of later steps out of the way of a training that resumes.

    Only those that are intact: nothing resumes from a damaged one, and it is overwritten once
    its step is trained again.

    Args:
        model_directory: Where the training's checkpoints lie.
        after: The step that it resumes from.

    Returns:
        Where they lie now, by rising step; all in one new folder.

    Raises:
        UserError: They cannot be moved.
    """
    later = [
        path
        for path in named_checkpoints(model_directory)
        if (step_of(path) or 0) > after and is_intact(path)
    ]
    return _moved(
        later,
        model_directory,
        f"Checkpoints of later steps than {after:,}, which the training resumes from,",
        "move them elsewhere by hand, or resume from the newest one",
    )


def set_damaged_aside(model_directory: Path) -> list[Path]:
    """Move all checkpoints out of the way of a training that begins again, where none is intact.

    Args:
        model_directory: Where the training's checkpoints lie.

    Returns:
        Where they lie now, by rising step; none where one of them is intact.

    Raises:
        UserError: They cannot be moved, or one cannot be read on this machine: on another one it
            may be intact.
    """
    damaged = named_checkpoints(model_directory)
    if any(map(is_intact, reversed(damaged))):
        return []
    for path in damaged:
        _check_readable(path)
    return _moved(
        damaged,
        model_directory,
        "The checkpoints, of which not one is intact,",
        "move them elsewhere by hand; the training then begins again",
    )


def _check_readable(checkpoint: Path) -> None:
    """See that the drive gives the files of a checkpoint, whatever is in them.

    Raises:
        UserError: It does not, or they may not be read.
    """
    try:
        for path in (checkpoint / SUMS, *checkpoint.rglob("*")):
            with suppress(FileNotFoundError):
                if stat.S_ISREG(path.lstat().st_mode):
                    with path.open("rb") as file:
                        file.read(1)
    except OSError as problem:
        raise UserError(
            f"{checkpoint.name} cannot be read on this machine, so that nobody knows whether it is "
            f"intact: {problem.strerror or problem}.",
            where=str(problem.filename or checkpoint),
            fix="see whether the drive answers and the files may be read, then run the job again; "
            "where the checkpoint is lost, move it elsewhere by hand",
        ) from problem


def _moved(paths: list[Path], model_directory: Path, which: str, fix: str) -> list[Path]:
    """Where checkpoints lie once they are moved: all in one new folder.

    Raises:
        UserError: They, ``which`` in the message, cannot be moved.
    """
    if not paths:
        return []
    try:
        folder = claim(model_directory, SET_ASIDE)
        for path in reversed(paths):
            path.rename(folder / path.name)
        files.sync_directory(folder)
        files.sync_directory(model_directory)
    except OSError as problem:
        raise UserError(
            f"{which} cannot be moved to {SET_ASIDE}: {problem.strerror or problem}.",
            where=str(model_directory),
            fix=fix,
        ) from problem
    return [folder / path.name for path in paths]


def sums_set_aside(model_directory: Path) -> list[bytes]:
    """The lists of sums of what was set aside, by which a copy elsewhere is recognised."""
    lists = sorted(model_directory.glob(f"{SET_ASIDE}*/checkpoint-*/{SUMS}"))
    return [path.read_bytes() for path in lists]
