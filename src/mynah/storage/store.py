"""One folder of storage: listed, read by ranges of bytes, written; tried again where that helps.

Every request goes through :class:`Store`. What the libraries below try again by themselves is
turned off where it can be: how long a fault is borne, and what is said of it, is decided here.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from mynah import files
from mynah.errors import UserError
from mynah.storage.address import check_address, join, masked, name_of
from mynah.storage.faults import CutShortError, Fault, fault_of, mistake

_T = TypeVar("_T")
_PIECE = 8 * 2**20  # bytes that one request asks for
_MOST_FILES = 1_000_000  # of a listing
_PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "https": "aiohttp", "http": "aiohttp"}
_TRIED_AGAIN = (Fault.PASSING, Fault.EXPIRED)


@dataclass(frozen=True)
class Patience:
    """How long a fault is borne.

    Attributes:
        pauses: Seconds before each further try.
    """

    pauses: tuple[float, ...] = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)


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


class FileSystem(Protocol):
    """What of fsspec's file systems is used."""

    def find(self, path: str, *, detail: bool, withdirs: bool) -> dict[str, dict[str, Any]]: ...
    def info(self, path: str) -> dict[str, Any]: ...
    def cat_file(self, path: str, start: int | None = None, end: int | None = None) -> bytes: ...
    def pipe_file(self, path: str, value: bytes) -> None: ...
    def put_file(self, lpath: str, rpath: str) -> None: ...
    def rm_file(self, path: str) -> None: ...
    def _strip_protocol(self, path: str) -> str: ...


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
        self._connect = connect or self._connected
        self._opened: tuple[int, FileSystem] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_opened": None}  # a connection is of one process

    def at(self, *names: str) -> Store:
        """The folder below."""
        below = Store(join(self.address, *names), patience=self._patience, connect=self._connect)
        below._opened = self._opened
        return below

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
        while True:
            try:
                return request(self._system())
            except UserError:
                raise
            except Exception as problem:
                fault = fault_of(problem)
                pause = next(pauses, None) if fault in _TRIED_AGAIN else None
                if pause is None:
                    raise mistake(problem, self._path(name), doing=doing) from problem
                if fault is Fault.EXPIRED:
                    self._opened = None  # new ones are read where they are kept
                time.sleep(pause)

    def _system(self) -> FileSystem:
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = os.getpid(), self._connect()
        return self._opened[1]

    def _connected(self) -> FileSystem:
        """fsspec's file system of the address.

        Raises:
            UserError: Its package is missing.
        """
        scheme = self.address.partition("://")[0].lower()
        package = _PACKAGES.get(scheme)
        if package is not None and importlib.util.find_spec(package) is None:
            raise UserError(
                f"{scheme}:// asks for the package {package}.",
                where=masked(self.address),
                fix='pip install "mynah-asr[cloud]"',
            )
        import fsspec

        for talks in ("s3fs", "gcsfs"):
            logging.getLogger(talks).setLevel(logging.CRITICAL)  # what is said is said once, here
        options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
        if scheme == "s3":
            options["config_kwargs"] = {
                "connect_timeout": 10,
                "read_timeout": 30,
                "retries": {"total_max_attempts": 1, "mode": "standard"},
            }
        system: Any = fsspec.filesystem(scheme, **options)
        if scheme == "s3":
            system.retries = 1
        made: FileSystem = system
        return made


def _tag(about: dict[str, Any]) -> str:
    for key in ("ETag", "etag", "md5Hash", "blob_id", "LastModified", "mtime", "created"):
        if about.get(key):
            return str(about[key]).strip('"')
    return ""
