"""Checkpoints that lie in storage: which are complete there, and how they come here, intact.

What is read of them is data of whoever wrote it: only files that their sums name are taken, under
names that stay in the checkpoint's folder, of the size that the listing gave, and a checkpoint
whose sums do not agree is not there.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mynah import console, files
from mynah.checkpoints import commit
from mynah.errors import UserError
from mynah.runs.directory import CHECKPOINT, MODEL, SUMS
from mynah.storage.address import masked
from mynah.storage.store import Entry, Store

_MOST_BYTES_OF_SUMS = 2**24
_MOST_FILES = 10_000  # of a checkpoint


@dataclass(frozen=True)
class StoredCheckpoint:
    """A checkpoint in storage.

    Attributes:
        store: Its folder, or one above it.
        prefix: Its folder's name below ``store`` with a ``/``; empty: the folder itself.
        files: What lies there, by name below the checkpoint.
    """

    store: Store
    prefix: str
    files: Mapping[str, Entry]

    @property
    def address(self) -> str:
        return f"{self.store.address}/{self.prefix}".rstrip("/")

    @property
    def name(self) -> str:
        return self.address.rpartition("/")[2]

    def sums(self) -> bytes:
        """Its list of sums.

        Raises:
            UserError: It cannot be read.
        """
        return self.store.read_small(self.prefix + SUMS, _MOST_BYTES_OF_SUMS) or b""

    def summed(self) -> list[Entry] | None:
        """The files that its sums name; None: one of them is missing, or no sums are there.

        Raises:
            UserError: It cannot be read, or names what is outside of it.
        """
        if SUMS not in self.files:
            return None
        names = names_in(self.sums())
        for name in names:
            if files.is_outside(name):
                raise UserError(
                    f"{SUMS} names {name!r}, which is not a file of the checkpoint.",
                    where=masked(self.address),
                    fix="use another checkpoint",
                )
        if not names or len(names) > _MOST_FILES or not self.files.keys() >= set(names):
            return None
        return [self.files[name] for name in names]


def names_in(sums: bytes) -> list[str]:
    """The names in a list of sums, which may be anybody's."""
    lines = sums.decode("utf-8", "replace").splitlines()
    return [line.partition("  ")[2] for line in lines if line.partition("  ")[2]]


def checkpoint_in(store: Store, entries: Sequence[Entry], prefix: str) -> StoredCheckpoint:
    """The checkpoint of a listing whose names begin with ``prefix``."""
    below = {
        entry.name.removeprefix(prefix): entry for entry in entries if entry.name.startswith(prefix)
    }
    return StoredCheckpoint(store, prefix, below)


def steps_in(entries: Sequence[Entry], holder: str = "") -> list[int]:
    """The steps of the ``checkpoint-N`` folders of a listing, complete or not, rising."""
    steps = set()
    for entry in entries:
        if entry.name.startswith(holder):
            named = CHECKPOINT.fullmatch(entry.name.removeprefix(holder).partition("/")[0])
            if named and "/" in entry.name.removeprefix(holder):
                steps.add(int(named.group(1)))
    return sorted(steps)


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


def newest_in(store: Store) -> StoredCheckpoint:
    """The checkpoint that an address means: itself, or the newest complete one of a run there.

    Raises:
        UserError: There is none.
    """
    entries = store.list()
    itself = checkpoint_in(store, entries, "")
    for holder in ("", f"{MODEL}/"):
        for step in reversed(steps_in(entries, holder)):
            found = checkpoint_in(store, entries, f"{holder}checkpoint-{step}/")
            if found.summed() is not None:
                return found
    if itself.summed() is not None:
        return itself
    raise UserError(
        "There is no complete checkpoint there.",
        where=masked(store.address),
        fix="name a checkpoint-N folder, or the place that training.mirror named",
    )
