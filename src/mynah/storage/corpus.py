"""A corpus in storage as a folder of this machine."""

from __future__ import annotations

import functools
from pathlib import Path

from mynah import console
from mynah.errors import UserError
from mynah.storage.address import masked, name_of
from mynah.storage.cache import Fetched, fetched
from mynah.storage.store import Entry, Store

# Files that list recordings which lie beside them.
_LISTS = (".csv", ".json", ".json.gz", ".jsonl", ".jsonl.gz", ".tsv", ".txt")


@functools.cache
def corpus_folder(address: str, setting: str) -> Path:
    """A corpus, here: a folder, or the file of one that an address names.

    Of a listing, as a manifest, the folder that it lies in is fetched: its recordings lie there.
    It is asked for once a process: all of a run sees the same.

    Args:
        address: A folder, or a file.
        setting: What names it.

    Raises:
        UserError: There is nothing, it cannot be read, or it is larger than the cache may be.
    """
    store = Store(address, setting=setting)
    is_server = address.lower().startswith("http")
    entries = [] if is_server else store.list()
    if entries:
        return _here(Fetched(store, entries), store.address)
    itself = store.find()
    if itself is None:
        raise UserError(
            "There is nothing there."
            if not is_server
            else "There is no such file; and a server does not list what is in a folder.",
            where=f"{setting}={masked(address)}",
            fix="name a corpus that is there",
        )
    above = Store(address.rstrip("/").rpartition("/")[0], setting=setting)
    name = name_of(address)
    beside: list[Entry] = [Entry(name, itself.size, itself.tag)]
    if name.lower().endswith(_LISTS) and not is_server:
        beside = above.list()
    return _here(Fetched(above, beside), store.address) / name


def _here(wanted: Fetched, address: str) -> Path:
    folder = fetched(wanted)
    console.say(f"{masked(address)} is read from {folder}")
    return folder
