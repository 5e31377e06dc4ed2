"""Checkpoints and models that lie in storage: which are complete there, and how they come here.

What is read of them is data of whoever wrote it: only files that their sums name are taken, under
names that stay in the checkpoint's folder, and of the size that the listing gave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mynah import files
from mynah.errors import UserError
from mynah.runs.directory import CHECKPOINT, MODEL, SUMS
from mynah.storage import cache
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


def beside(checkpoint: StoredCheckpoint, name: str) -> StoredCheckpoint:
    """Another checkpoint in the folder of one; without files where it is not there.

    Raises:
        UserError: It cannot be listed.
    """
    if checkpoint.prefix:
        holder = checkpoint.prefix.rstrip("/").rpartition("/")[0]
        store = checkpoint.store.at(*filter(None, [holder]), name)
    else:
        store = checkpoint.store.beside(name)
    return checkpoint_in(store, store.list(), "")


def steps_in(entries: Sequence[Entry], holder: str = "") -> list[int]:
    """The steps of the ``checkpoint-N`` folders of a listing, complete or not, rising."""
    steps = set()
    for entry in entries:
        if entry.name.startswith(holder):
            named = CHECKPOINT.fullmatch(entry.name.removeprefix(holder).partition("/")[0])
            if named and "/" in entry.name.removeprefix(holder):
                steps.add(int(named.group(1)))
    return sorted(steps)


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


def fetched_model(address: str, setting: str) -> Path:
    """The model that an address means, in the cache of storage: complete, and its sums agree.

    It is what :func:`mynah.checkpoints.find.resolve_checkpoint` takes of a folder: the checkpoint
    itself, the best model of a run, or its newest checkpoint; else a model as it was published.

    Args:
        address: Of a checkpoint, of a run, or of a folder of transformers.
        setting: What names it.

    Raises:
        UserError: There is none, it cannot be read, or is not intact.
    """
    store = Store(address, setting=setting)
    entries = _listing(store)
    for prefix in ("", f"{MODEL}/"):
        model = checkpoint_in(store, entries, prefix)
        if (summed := model.summed()) is not None:
            return _in_cache(model, summed)
    for holder in ("", f"{MODEL}/"):
        for step in reversed(steps_in(entries, holder)):
            checkpoint = checkpoint_in(store, entries, f"{holder}checkpoint-{step}/")
            if (summed := checkpoint.summed()) is not None:
                return _in_cache(checkpoint, summed)
    if not any(entry.name in _PUBLISHED for entry in entries):
        raise UserError(
            "There is no model there." if entries else "There is nothing there.",
            where=f"{setting}={masked(address)}",
            fix="name a checkpoint, a run, or a folder with a config.json",
        )
    return cache.fetched(cache.Fetched(store, entries))


# Of a model as it is: transformers' configuration, or an adapter's.
_PUBLISHED = ("config.json", "adapter_config.json")


def _in_cache(model: StoredCheckpoint, summed: Sequence[Entry]) -> Path:
    wanted = cache.Fetched(model.store, [*summed, model.files[SUMS]], model.prefix)
    return cache.fetched(wanted, check=_unlike_sums)


def _listing(store: Store) -> list[Entry]:
    """What lies there; a server of https:// lists nothing, and the list of sums says it."""
    if not store.address.lower().startswith("http"):
        return store.list()
    sums = store.find(SUMS)
    if sums is None:
        raise UserError(
            f"A server does not list what is in a folder, and there is no {SUMS} that does.",
            where=masked(store.address),
            fix="name a model's folder that Mynah wrote, or copy it here first",
        )
    names = names_in(store.read_small(SUMS, _MOST_BYTES_OF_SUMS) or b"")[:_MOST_FILES]
    inside = [name for name in names if not files.is_outside(name)]
    return [sums, *filter(None, map(store.find, inside))]


def _unlike_sums(folder: Path) -> str | None:
    """What of a folder is not as its list of sums says, as a part of a sentence."""
    altered = [
        name
        for digest, name in map(_summed, (folder / SUMS).read_text("utf-8").splitlines())
        if name and files.sha256(folder / name) != digest
    ]
    return f"{', '.join(altered)} altered or cut short" if altered else None


def _summed(line: str) -> tuple[str, str]:
    digest, _, name = line.partition("  ")
    return digest, name
