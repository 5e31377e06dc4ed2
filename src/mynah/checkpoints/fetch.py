"""A checkpoint that lies in storage comes here: committed, and only where every sum agrees."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from mynah import console
from mynah.checkpoints import commit
from mynah.errors import UserError
from mynah.runs.directory import SUMS
from mynah.runs.stored import StoredCheckpoint
from mynah.storage.address import masked
from mynah.storage.store import Entry


def fetch(checkpoint: StoredCheckpoint, final: Path) -> bool:
    """Bring a checkpoint here; committed under its name only where every sum agrees.

    Args:
        checkpoint: The one in storage.
        final: Its directory here.

    Returns:
        Whether it was intact; where it was not, that is said and nothing is there.

    Raises:
        UserError: It cannot be read, does not fit on the disk, or reaches out of its folder.
    """
    wanted = checkpoint.summed()
    if wanted is None:
        console.notice(f"{masked(checkpoint.address)} is skipped: it is not complete.")
        return False
    size = sum(entry.size for entry in wanted)
    place = final.parent
    while not place.exists():
        place = place.parent
    if (free := shutil.disk_usage(place).free) < size:
        raise UserError(
            f"The checkpoint does not fit on this disk: it has {commit.megabytes(size)}, and "
            f"{commit.megabytes(free)} are free.",
            where=masked(checkpoint.address),
            fix="free some space, or write elsewhere: hydra.run.dir=FOLDER",
        )
    try:
        with commit.commit(final, expected_bytes=size) as staging:
            _copy(checkpoint, wanted, staging, size)
            if (damage := commit.find_damage(staging)) is not None:
                raise _Damaged(damage)
    except _Damaged as damage:
        console.notice(f"{masked(checkpoint.address)} is skipped, for it is not intact: {damage}.")
        return False
    return True


class _Damaged(Exception):  # noqa: N818 - what is damaged, not an error of a caller
    """The sums do not agree."""


def _copy(checkpoint: StoredCheckpoint, wanted: Sequence[Entry], staging: Path, size: int) -> None:
    (staging / SUMS).write_bytes(checkpoint.sums())
    with console.progress(f"Fetching {checkpoint.name}", size, unit="bytes") as advance:
        for entry in wanted:
            target = staging / entry.name.removeprefix(checkpoint.prefix)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                for piece in checkpoint.store.pieces(entry):
                    file.write(piece)
                    advance(len(piece))
