"""Checkpoints of later steps than the one that a training resumes from: set aside, not removed.

::

    model/checkpoint-700            resumed from: its training takes another course from here on
    model/set_aside/checkpoint-1400 of the course before; no longer what ``last`` means
"""

from __future__ import annotations

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
    if not later:
        return []
    folder = claim(model_directory, SET_ASIDE)
    try:
        for path in reversed(later):
            path.rename(folder / path.name)
        files.sync_directory(folder)
        files.sync_directory(model_directory)
    except OSError as problem:
        raise UserError(
            f"Checkpoints of later steps than {after:,}, which the training resumes from, cannot "
            f"be moved to {folder.name}: {problem.strerror or problem}.",
            where=str(model_directory),
            fix="move them elsewhere by hand, or resume from the newest one",
        ) from problem
    return [folder / path.name for path in later]


def sums_set_aside(model_directory: Path) -> list[bytes]:
    """The lists of sums of what was set aside, by which a copy elsewhere is recognised."""
    lists = sorted(model_directory.glob(f"{SET_ASIDE}*/checkpoint-*/{SUMS}"))
    return [path.read_bytes() for path in lists]
