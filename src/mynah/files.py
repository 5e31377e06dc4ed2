"""Files that any room writes, locks or names: complete or not at all, summed, shown to a person.

Nothing of Mynah is imported here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

_ENDING = "writing"
_SECONDS_BEFORE_SAYING = 2.0
_MOST_BYTES_OF_JSON = 2**29
_STAGED_NAME = re.compile(rf"\..+\.\d+-\d+\.{_ENDING}")


@contextlib.contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Write a file so that a reader sees the old one or the new one, never a part of one.

    Yields a path beside ``path`` to write to, under a name that no other process or thread has.
    Where the block ends well the file there is synced and takes the name; where it raises, it is
    removed and what was at ``path`` stays as it was.

    Raises:
        OSError: It cannot be written there.
    """
    own = f"{os.getpid()}-{threading.get_native_id()}"
    beside = path.with_name(f".{path.name}.{own}.{_ENDING}")
    try:
        yield beside
        sync(beside)
        beside.replace(path)
        sync_directory(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):  # on a full disk it takes what room there is
            beside.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def alone(lock_file: Path, *, waiting: Callable[[], object] | None = None) -> Iterator[None]:
    """Let other processes and threads do the same before or after, not meanwhile.

    Nobody waits on a file system that has no locks.

    Args:
        lock_file: What is locked; made, with its folder, if it is not there.
        waiting: Called once where another has had it for two seconds.
    """
    import filelock

    lock = filelock.FileLock(lock_file, fallback_to_soft=False, thread_local=False)
    try:
        lock_file.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=_SECONDS_BEFORE_SAYING if waiting else -1)
        except filelock.Timeout:
            assert waiting is not None  # without it there is no timeout
            waiting()
            lock.acquire()
    except (OSError, NotImplementedError):  # a file system without locks
        yield
        return
    try:
        yield
    finally:
        lock.release()


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file by :func:`staged`."""
    with staged(path) as beside:
        beside.write_bytes(content)


def write_text(path: Path, parts: str | Iterable[str]) -> None:
    """Write a text file in UTF-8 by :func:`staged`, line ends as they are.

    A lone surrogate, as a broken transcript may hold, becomes its escape: in JSON the
    character's own, and no reason to lose a file.
    """
    with (
        staged(path) as beside,
        beside.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        file.writelines([parts] if isinstance(parts, str) else parts)


def write_json(path: Path, content: object, *, indent: int | None = None) -> None:
    """Write a JSON file by :func:`staged`.

    Raises:
        TypeError: The content is not built from mappings, lists, strings, numbers and None.
    """
    write_text(path, json.dumps(content, indent=indent, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is no file or no object that can be read."""
    try:
        if not path.is_file() or path.stat().st_size > _MOST_BYTES_OF_JSON:
            return {}  # reading a pipe would wait for ever
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def remove_staged(directory: Path) -> None:
    """Remove what killed processes left of :func:`staged` in a directory.

    Only for a directory that no other process is writing to.
    """
    for path in directory.iterdir():
        if _STAGED_NAME.fullmatch(path.name):
            with contextlib.suppress(OSError):
                path.unlink()


def remove_left(path: Path) -> None:
    """Remove what killed processes of this machine left of :func:`staged` of one file; what a
    process writes that still runs stays, and so does what others write into its folder.

    Args:
        path: The file. Its folder need not be there.
    """
    name = re.compile(rf"\.{re.escape(path.name)}\.(\d+)-\d+\.{_ENDING}")
    with contextlib.suppress(OSError):
        for other in path.parent.iterdir():
            found = name.fullmatch(other.name)
            if found and not _runs(int(found[1])):
                other.unlink()


def _runs(process: int) -> bool:
    """Whether a process of this machine is there."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another person's
        return True
    return True


def sync(path: Path) -> None:
    """Have the system write a file or a directory to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """:func:`sync` of a directory, where the system can (Windows cannot open one)."""
    if hasattr(os, "O_DIRECTORY"):
        sync(path)


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, as ``sha256sum`` prints it.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def user_cache() -> Path:
    """Where what can be made again is kept: ``$MYNAH_CACHE``, or ``~/.cache/mynah``."""
    if named := os.environ.get("MYNAH_CACHE"):
        return Path(named).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "mynah"


def is_outside(name: str) -> bool:
    """Whether a name that somebody else gave, with ``/``, leads out of the folder it is meant in,
    or cannot be a file's there."""
    path = PurePosixPath(name)
    outside = path.is_absolute() or ".." in path.parts or not path.parts
    return outside or "\\" in name or "\0" in name


def display_path(path: Path, root: Path | None = None) -> str:
    """A path as a person would type it: relative where it lies below ``root``.

    Args:
        path: A file or a folder.
        root: Where the person is; None: in the working directory.
    """
    here = root or Path.cwd()
    for below, above in ((path, here), (path.resolve(), here.resolve())):
        if below.is_relative_to(above):
            return str(below.relative_to(above))
    return os.fspath(path)
