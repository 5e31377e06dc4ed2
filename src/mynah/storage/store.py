"""One folder of storage: listed, read by ranges of bytes, written; tried again where that helps.

Every request goes through :class:`Store`. What the libraries below try again by themselves is
turned off where it can be: how long a fault is borne, and what is said of it, is decided here.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mynah import console, files
from mynah.errors import UserError
from mynah.storage.address import check_address, join, masked, name_of
from mynah.storage.connection import FileSystem, connected
from mynah.storage.faults import CutShortError, Fault, fault_of, mistake

_T = TypeVar("_T")
_PIECE = 8 * 2**20  # bytes that one request asks for
_MOST_FILES = 1_000_000  # of a listing
_SAID = 4.0  # seconds of a pause, from which on it is said
_TRIED_AGAIN = (Fault.PASSING, Fault.EXPIRED)


@dataclass(frozen=True)
class Patience:
    """How long a fault is borne.

    Attributes:
        pauses: Seconds before each further try.
        seconds: After them none begins: a server that takes long to fail is not asked as often.
    """

    pauses: tuple[float, ...] = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
    seconds: float = 60.0


@dataclass(frozen=True)
class Entry:
    """A file of a folder.

    Attributes:
        name: Below the folder, with ``/``; never one that leads out of it.
        size: Bytes.
        tag: Changes where the content does, as S3's entity tag; may be empty.
    """

    name: str
    size: int
    tag: str = ""


class Store:
    """A folder of storage, or one file of it.

    Args:
        address: ``SCHEME://…``, checked.
        patience: How long faults are borne.
        connect: Makes the file system; None: as the address says.
        setting: What names the address, for messages.

    Raises:
        UserError: The address cannot be used.
    """

    def __init__(
        self,
        address: str,
        *,
        patience: Patience | None = None,
        connect: Callable[[], FileSystem] | None = None,
        setting: str = "address",
    ) -> None:
        if connect is None:
            check_address(address, setting)
        self.address = address.rstrip("/")
        self._patience = patience or Patience()
        self._connect = connect or functools.partial(connected, self.address)
        self._opened: tuple[int, FileSystem] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_opened": None}  # a connection is of one process

    def at(self, *names: str) -> Store:
        """The folder below."""
        below = Store(join(self.address, *names), patience=self._patience, connect=self._connect)
        below._opened = self._opened
        return below

    def beside(self, name: str) -> Store:
        """The folder of another name in the same folder."""
        address = f"{self.address.rpartition('/')[0]}/{name}"
        return Store(address, patience=self._patience, connect=self._connect)

    # Reading

    def list(self) -> list[Entry]:
        """The files of the folder and of those in it, by name; empty where there is no folder.

        Raises:
            UserError: It cannot be listed, or holds a name that leads out of it.
        """
        try:
            found = self._tried(
                "read", "", lambda system: system.find(self._path(), detail=True, withdirs=False)
            )
        except UserError as problem:
            if isinstance(problem.__cause__, Exception) and (
                fault_of(problem.__cause__) is Fault.MISSING
            ):
                return []
            raise
        if len(found) > _MOST_FILES:
            raise UserError(
                f"There are more than {_MOST_FILES:,} files.",
                where=masked(self.address),
                fix="name a folder in it, or pack the files into shards",
            )
        root = self._system()._strip_protocol(self.address).rstrip("/") + "/"
        entries = []
        for path, about in sorted(found.items()):
            # A name with / at its end is what some tools write to show a folder.
            if about.get("type") == "directory" or not path.startswith(root) or path[-1] == "/":
                continue
            name = path.removeprefix(root)
            if files.is_outside(name):
                raise UserError(
                    f"A file there has a name that leads out of its folder: {name!r}.",
                    where=masked(self.address),
                    fix="rename it",
                )
            entries.append(Entry(name, int(about.get("size") or 0), _tag(about)))
        return entries

    def find(self, name: str = "") -> Entry | None:
        """A file's size and tag, that of the address itself without a name; None: it is not there.

        Raises:
            UserError: It cannot be found out.
        """

        def look(system: FileSystem) -> dict[str, Any]:
            try:
                return system.info(self._path(name))
            except Exception as problem:
                if fault_of(problem) is not Fault.FORBIDDEN:
                    raise
                # What is asked for a size alone answers without a reason; this one gives it.
                system.cat_file(self._path(name), start=0, end=1)
                return system.info(self._path(name))

        try:
            about = self._tried("read", name, look)
        except UserError as problem:
            if isinstance(problem.__cause__, Exception) and (
                fault_of(problem.__cause__) is Fault.MISSING
            ):
                return None
            raise
        if about.get("type") == "directory":
            return None
        return Entry(name or name_of(self.address), int(about.get("size") or 0), _tag(about))

    def read(self, name: str, start: int, end: int) -> bytes:
        """The bytes of a file from ``start`` to before ``end``: all of them, or an error.

        Raises:
            UserError: They cannot be read.
        """

        def range_of(system: FileSystem) -> bytes:
            content = system.cat_file(self._path(name), start=start, end=end)
            if len(content) != end - start:
                raise CutShortError(f"{len(content):,} of {end - start:,} bytes came")
            return content

        return self._tried("read", name, range_of) if end > start else b""

    def read_small(self, name: str, most: int) -> bytes | None:
        """A file in full that is not large; None: it is not there.

        Raises:
            UserError: It cannot be read, or has more than ``most`` bytes.
        """
        found = self.find(name)
        if found is None:
            return None
        if found.size > most:
            raise UserError(
                f"{name or name_of(self.address)} has {found.size:,} bytes, and {most:,} at most "
                "are read of it.",
                where=masked(self.address),
            )
        return self.read(name, 0, found.size)

    def pieces(self, entry: Entry, *, itself: bool = False) -> Iterator[bytes]:
        """A file's content, piece by piece.

        Args:
            entry: The file.
            itself: It is what the address names.
        """
        name = "" if itself else entry.name
        for start in range(0, entry.size, _PIECE):
            yield self.read(name, start, min(start + _PIECE, entry.size))

    # Writing

    def put(self, name: str, source: Path) -> None:
        """Copy a file there.

        Raises:
            UserError: It cannot be written there.
            OSError: It cannot be read here.
        """
        size = source.stat().st_size

        def write(system: FileSystem) -> None:
            system.put_file(str(source), self._path(name))
            if int(system.info(self._path(name)).get("size") or 0) != size:
                raise CutShortError(f"{name} has another size than was written")

        self._tried("written", name, write)

    def put_bytes(self, name: str, content: bytes) -> None:
        """Write a small file there.

        Raises:
            UserError: It cannot be written there.
        """
        self._tried("written", name, lambda system: system.pipe_file(self._path(name), content))

    def delete(self, name: str) -> None:
        """Remove a file; one that is not there is no mistake.

        Raises:
            UserError: It cannot be removed.
        """
        try:
            self._tried("written", name, lambda system: system.rm_file(self._path(name)))
        except UserError as problem:
            cause = problem.__cause__
            if not (isinstance(cause, Exception) and fault_of(cause) is Fault.MISSING):
                raise

    # How

    def _path(self, name: str = "") -> str:
        return join(self.address, name) if name else self.address

    def _tried(self, doing: str, name: str, request: Callable[[FileSystem], _T]) -> _T:
        """A request, made again while that may help.

        Raises:
            UserError: It failed; the file system's exception is its cause.
        """
        pauses = iter(self._patience.pauses)
        begun, said = time.monotonic(), False
        while True:
            try:
                return request(self._system())
            except UserError:
                raise
            except Exception as problem:
                fault = fault_of(problem)
                pause = next(pauses, None) if fault in _TRIED_AGAIN else None
                if pause is None or time.monotonic() - begun > self._patience.seconds:
                    raise mistake(problem, self._path(name), doing=doing) from problem
                if fault is Fault.EXPIRED:
                    self._opened = None  # new ones are read where they are kept
                if pause >= _SAID and not said:
                    said = True
                    console.say(
                        f"{masked(self.address)} does not answer as it should: it is asked again "
                        f"for up to {self._patience.seconds:.0f} s"
                    )
                time.sleep(pause)

    def _system(self) -> FileSystem:
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = os.getpid(), self._connect()
        return self._opened[1]


def _tag(about: dict[str, Any]) -> str:
    for key in ("ETag", "etag", "md5Hash", "blob_id", "LastModified", "mtime", "created"):
        if about.get(key):
            return str(about[key]).strip('"')
    return ""
