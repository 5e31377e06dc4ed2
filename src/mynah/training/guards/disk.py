"""Room for checkpoints: too little is said early, made where it may be, and not met in a save."""

from __future__ import annotations

import shutil
from pathlib import Path

from mynah import console
from mynah.checkpoints import commit as checkpoints
from mynah.checkpoints.commit import megabytes
from mynah.errors import UserError
from mynah.runs.directory import named_checkpoints

_MARGIN = 1.05  # of what a checkpoint is expected to take


class DiskWatch:
    """Knows how much a checkpoint takes, and what is free.

    Args:
        directory: Where the checkpoints are written.
        expected_bytes: Of one checkpoint, before the first is there.
        limit: ``training.save_total_limit``.
    """

    def __init__(self, directory: Path, *, expected_bytes: int, limit: int | None) -> None:
        self._directory = directory
        self._expected = expected_bytes
        self._limit = limit
        self._warned = False

    def warn_early(self, saves: int) -> None:
        """Say at the start where the checkpoints of the full training will not fit.

        One more than are kept, for the newest is complete before the oldest goes; and the model
        once more, at the top of its directory.

        Args:
            saves: How many checkpoints the training is going to write.
        """
        kept = saves if self._limit is None else min(self._limit, saves)
        needed = (kept + 2) * self._expected
        free = self._free()
        if free < needed:
            console.notice(
                f"The disk may fill up: {kept} checkpoints and the model take about "
                f"{megabytes(needed)}, and {megabytes(free)} are free in {self._directory} "
                "(training.save_total_limit, training.output_dir)."
            )

    def make_room(self, *, best: Path | None) -> None:
        """See before a save that the checkpoint will fit; give up old ones where it would not.

        Never the newest intact one or the best; and none at all where all are to be kept.

        Args:
            best: The best checkpoint so far.

        Raises:
            UserError: It does not fit; nothing was written.
        """
        there = named_checkpoints(self._directory)
        if there:
            self._expected = max(checkpoints.size_bytes(there[-1]), 1)
        needed = int(self._expected * _MARGIN)
        if self._free() < needed and self._limit is not None:
            removed = checkpoints.retain(self._directory, limit=1, best=best)
            if removed:
                names = ", ".join(path.name for path in removed)
                console.notice(f"The disk is nearly full: {names} had to go to make room.")
        free = self._free()
        if free < needed:
            raise UserError(
                f"The disk is nearly full: a checkpoint takes about {megabytes(needed)}, and "
                f"{megabytes(free)} are free. What was saved before is still there.",
                where=str(self._directory),
                fix="free some space, then resume with resume_from_checkpoint=last "
                "(training.save_total_limit keeps fewer checkpoints)",
            )
        if free < 2 * needed and not self._warned:
            self._warned = True
            console.notice(
                f"The disk is nearly full: {megabytes(free)} are free in {self._directory}, and "
                f"a checkpoint takes about {megabytes(needed)}."
            )

    def _free(self) -> int:
        place = self._directory
        while not place.exists():
            place = place.parent
        return shutil.disk_usage(place).free
