"""What was fetched of storage, on this machine's disk: complete or not there, and with a bound.

::

    ~/.cache/mynah/storage/<address>/<content>/       digests of the address, and of what lay there
        complete.json                                 written last: names and sizes
        files/<name>/…                                what was fetched
        lock                                          held by whoever reads it: it is not removed

Where the bound is passed, what was used longest ago goes first, and nothing that is in use.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mynah import console, files
from mynah.errors import UserError
from mynah.storage.address import masked, name_of
from mynah.storage.store import Entry, Store

BOUND = "MYNAH_STORAGE_GIB"
_DEFAULT_GIB = 100.0
_MARKER = "complete.json"
_ATTEMPTS = 100  # to hold a lock that others remove
_FILLS = 3  # of what others remove before it is kept
_held: dict[Path, IO[bytes]] = {}  # locks of what this process uses, until it ends


@dataclass(frozen=True)
class Fetched:
    """What is to be fetched.

    Attributes:
        store: Where it lies.
        entries: Its files, their names safe and below ``prefix``.
        prefix: What their names begin with, which is left out here.
        name: What the folder is called here.
    """

    store: Store
    entries: Sequence[Entry]
    prefix: str = ""

    @property
    def name(self) -> str:
        own = name_of(f"{self.store.address}/{self.prefix}")
        return own if own and not files.is_outside(own) and "/" not in own else "files"

    @property
    def size(self) -> int:
        return sum(entry.size for entry in self.entries)

    @property
    def digest(self) -> str:
        about = [(entry.name, entry.size, entry.tag) for entry in self.entries]
        return _digest(json.dumps([self.prefix, about]))


def fetched(wanted: Fetched, *, check: Callable[[Path], str | None] = lambda _: None) -> Path:
    """A folder of storage, here: fetched where it is not yet, and kept while this process runs.

    Args:
        wanted: What is fetched.
        check: Finds what is wrong with it once it is here, a part of a sentence.

    Returns:
        Its folder.

    Raises:
        UserError: It cannot be read, is larger than the cache may be or the disk is, is not
            intact, or others remove it again and again.
    """
    place = storage_root() / _digest(wanted.store.address) / wanted.digest
    found = place / "files" / wanted.name
    _keep(place)
    fills = 0
    # Between filling and keeping it nobody holds it, and who makes room may remove it.
    while not _is_complete(place, wanted):
        if fills == _FILLS:
            raise UserError(
                f"What was fetched was removed {fills} times before it could be read: others that "
                "fetch need its room in the cache of storage.",
                where=masked(wanted.store.address),
                fix=f"give the cache more room, {BOUND}={2 * bound_bytes() / 2**30:g} for all that "
                "fetch here, or start again when fewer do",
            )
        with _alone(place):
            if not _is_complete(place, wanted):  # another process fetched it in the meantime
                _fill(place, wanted, found, check)
        _keep(place)
        fills += 1
    os.utime(place / _MARKER)
    return found


def _fill(place: Path, wanted: Fetched, found: Path, check: Callable[[Path], str | None]) -> None:
    (place / _MARKER).unlink(missing_ok=True)
    shutil.rmtree(place / "files", ignore_errors=True)
    _make_room(wanted)
    try:
        _fetch(wanted, found)
        if (problem := check(found)) is not None:
            raise UserError(
                f"What was fetched is not intact: {problem}.",
                where=masked(wanted.store.address),
                fix="copy it there again from where it is intact",
            )
    except BaseException:
        shutil.rmtree(place / "files", ignore_errors=True)
        raise
    sizes = {entry.name: entry.size for entry in wanted.entries}
    files.write_json(place / _MARKER, {"prefix": wanted.prefix, "sizes": sizes})


def kept(address: str) -> Path | None:
    """The folder that was fetched of an address last, without asking for it; None: none is."""
    markers = (storage_root() / _digest(address.rstrip("/"))).glob(f"*/{_MARKER}")
    for place in sorted((one.parent for one in markers), key=_last_used, reverse=True):
        if not (place / _MARKER).is_file():
            continue
        was_held = place in _held
        _keep(place)
        # Only now: before it was kept, others might have removed it.
        folders = list((place / "files").glob("*")) if (place / _MARKER).is_file() else []
        if len(folders) == 1:
            return folders[0]
        if not was_held:
            _held.pop(place).close()
    return None


def _fetch(wanted: Fetched, target: Path) -> None:
    target.mkdir(parents=True)
    shown = masked(wanted.store.address)
    with console.progress(f"Fetching {shown}", wanted.size, unit="bytes") as advance:
        for entry in wanted.entries:
            file_here = target / entry.name.removeprefix(wanted.prefix)
            file_here.parent.mkdir(parents=True, exist_ok=True)
            with file_here.open("xb") as file:
                for piece in wanted.store.pieces(entry):
                    file.write(piece)
                    advance(len(piece))


def _is_complete(place: Path, wanted: Fetched) -> bool:
    written = files.read_json(place / _MARKER)
    sizes = {entry.name: entry.size for entry in wanted.entries}
    if written.get("sizes") != sizes:
        return False
    root = place / "files" / wanted.name
    for name, size in sizes.items():
        try:
            if (root / name.removeprefix(wanted.prefix)).stat().st_size != size:
                return False
        except OSError:
            return False
    return True


def bound_bytes() -> int:
    """The most that the cache may hold, as ``MYNAH_STORAGE_GIB`` says.

    Raises:
        UserError: It is not a number.
    """
    typed = os.environ.get(BOUND)
    try:
        gib = _DEFAULT_GIB if typed is None else float(typed)
        if not 0 < gib < 2**30:
            raise ValueError
    except ValueError:
        raise UserError(
            f"{BOUND} is a number of GiB, not {typed!r}.", where=BOUND, fix=f"{BOUND}=100"
        ) from None
    return int(gib * 2**30)


def folders_bytes() -> int:
    """What the folders in the cache hold, as they were fetched."""
    written = (files.read_json(marker) for marker in storage_root().glob(f"*/*/{_MARKER}"))
    sizes = (one.get("sizes") for one in written)
    return sum(sum(one.values()) for one in sizes if isinstance(one, dict))


def _make_room(wanted: Fetched) -> None:
    bound, root = bound_bytes(), storage_root()
    if wanted.size > bound:
        raise UserError(
            f"What lies there has {_shown(wanted.size)}, and the cache of storage may hold "
            f"{_shown(bound)}.",
            where=masked(wanted.store.address),
            fix=f"set {BOUND}={wanted.size / 2**30 + 1:.0f}, or stream a corpus: "
            "data.streaming=true",
        )
    kept_bytes = {place: _size(place) for place in root.glob("*/*") if place.is_dir()}
    oldest_first = sorted(kept_bytes, key=_last_used)
    while oldest_first and sum(kept_bytes.values()) + wanted.size > bound:
        place = oldest_first.pop(0)
        if _removed(place):
            del kept_bytes[place]
    if sum(kept_bytes.values()) + wanted.size > bound:
        console.notice("The cache of storage holds more than its bound: what is in it is in use.")
    free = shutil.disk_usage(root).free
    if free < wanted.size:
        raise UserError(
            f"It does not fit on this disk: it has {_shown(wanted.size)}, and {_shown(free)} are "
            "free.",
            where=str(root),
            fix="free some space, or keep it elsewhere: MYNAH_CACHE=FOLDER",
        )


def _removed(place: Path) -> bool:
    """Remove what nobody uses."""
    with suppress(OSError):
        lock = (place / "lock").open("ab")
        if not _lock(lock, shared=False, wait=False):
            lock.close()
            return False
        (place / _MARKER).unlink(missing_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        lock.close()
        return True
    return False


def _last_used(place: Path) -> float:
    with suppress(OSError):
        return (place / _MARKER).stat().st_mtime
    return 0.0


def _size(place: Path) -> int:
    """What its files hold; others may be removing them, and what is gone holds nothing."""
    total = 0
    with suppress(FileNotFoundError):  # a folder that was about to be read
        for path in place.rglob("*"):
            with suppress(FileNotFoundError):
                total += path.stat().st_size if path.is_file() else 0
    return total


def _keep(place: Path) -> None:
    """Let nobody remove or fill a place while this process runs; waits for who fills it now."""
    if place not in _held:
        _held[place] = _locked(place, shared=True)


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Nobody else fills or reads the place in the block."""
    _held.pop(place).close()
    with _locked(place, shared=False):
        yield


def _locked(place: Path, *, shared: bool) -> IO[bytes]:
    """The lock of a place, held, once nobody else holds it. Who makes room may remove the place
    before the lock is opened, or while it is waited for: a lock that is not there any more keeps
    nobody away, and is made again."""
    attempts = 0
    while True:
        attempts += 1
        place.mkdir(parents=True, exist_ok=True)
        try:
            lock = (place / "lock").open("ab")
        except FileNotFoundError:
            if attempts < _ATTEMPTS:
                continue
            raise
        _lock(lock, shared=shared, wait=True)
        # Some file systems count no links at all: the attempts have an end.
        if os.fstat(lock.fileno()).st_nlink or attempts == _ATTEMPTS:
            return lock
        lock.close()


def _lock(file: IO[bytes], *, shared: bool, wait: bool) -> bool:
    """The system's lock of a file; it goes with the process. Where there are none, True."""
    try:
        import fcntl
    except ImportError:
        return True
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def storage_root() -> Path:
    """Where all that is fetched is kept."""
    root = files.user_cache() / "storage"
    root.mkdir(parents=True, exist_ok=True)
    return root


def _shown(size_bytes: float) -> str:
    gib = size_bytes / 2**30
    return f"{gib:,.1f} GiB" if gib >= 1 else f"{1024 * gib:,.1f} MiB"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
