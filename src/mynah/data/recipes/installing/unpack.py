"""Unpacking an archive that was downloaded, trusting nothing in it.

It is unpacked into a folder of its own and moved from there when all of it is there, so that
an interrupted unpacking leaves nothing that looks whole.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

from mynah.console import progress
from mynah.errors import UserError

_READ_BYTES = 1 << 20
_BYTES_PER_MB = 1e6
# Of speech, even silence as WAV, none comes near: an archive that does is made to fill disks.
_LARGEST_RATIO = 20
_ALWAYS_ALLOWED_BYTES = 1 << 30
_MOST_FILES = 5_000_000
_LATEST_TIME = 1 << 33  # seconds since 1970: what every file system can hold
# What decoders end in; RuntimeError is zipfile's for an encrypted or strangely compressed file.
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    EOFError,
    ValueError,
    zlib.error,
    lzma.LZMAError,
    RuntimeError,
)
# A name that is a file and a folder at once, or that no file system takes.
_OF_NAMES = (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.EINVAL)


class UnsafeArchiveError(UserError):
    """An archive that would write where it has no business; nothing of it was kept."""


class DamagedArchiveError(UserError):
    """An archive that cannot be read to its end; nothing of it was kept."""


@dataclass(frozen=True)
class _Member:
    """One entry of an archive: a folder, a file with its content, or a link."""

    name: str
    kind: str  # "folder", "file", "link"
    modified: float = 0.0
    open: Callable[[], IO[bytes] | None] = lambda: None
    link_target: str = ""


@dataclass
class _Inside:
    """What may be written, and what has been: places are relative to the staging folder."""

    root: Path
    limit_bytes: int
    written_bytes: int = 0
    files: int = 0
    links: set[PurePosixPath] = field(default_factory=set)


def unpack(archive: Path, directory: Path, folder: str) -> int:
    """Unpack a tar (gzip, bzip2, xz) or zip archive below ``directory``.

    Refused: names that lead outside, links that do, devices and pipes, and archives whose
    content is more than 20 times their size.

    Args:
        archive: The archive's file.
        directory: Where its content goes; what is there by the same names is replaced.
        folder: What it must hold, as ``LibriSpeech/dev-clean``.

    Returns:
        How many files it held.

    Raises:
        UnsafeArchiveError: It would write outside ``directory``, or too much.
        DamagedArchiveError: It is cut short, altered, encrypted, or no archive.
        UserError: The disk is full.
    """
    staging = directory / f".unpacking-{archive.name}"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        files = _extract(archive, staging)
        if not (staging / folder).is_dir():
            raise DamagedArchiveError(
                f"{archive.name} does not hold {folder}/.", where=str(archive), fix=None
            )
        _merge(staging, directory)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return files


def _extract(archive: Path, staging: Path) -> int:
    limit = _LARGEST_RATIO * archive.stat().st_size + _ALWAYS_ALLOWED_BYTES
    inside = _Inside(staging, limit)
    try:
        members = _zip_members if zipfile.is_zipfile(archive) else _tar_members
        with closing(members(archive)) as found:
            for member in found:
                _write(member, inside, archive)
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"The disk is full: {archive.name} could not be unpacked; nothing of it was kept.",
                where=str(staging.parent),
                fix="free some space and give the same command again: the archive is kept",
            ) from problem
        if problem.errno is not None and problem.errno not in _OF_NAMES:
            raise
        raise _damaged(archive, problem) from problem  # decoders raise theirs without a number
    except _DAMAGE as problem:
        raise _damaged(archive, problem) from problem
    return inside.files


def _damaged(archive: Path, problem: Exception) -> DamagedArchiveError:
    return DamagedArchiveError(
        f"{archive.name} cannot be unpacked: {problem or type(problem).__name__}.",
        where=str(archive),
        fix=f"remove {archive} and give the same command again",
    )


def _tar_members(archive: Path) -> Generator[_Member, None, None]:
    """Entries as a stream, so that no index of a long archive is held in memory."""
    size = archive.stat().st_size
    description = f"unpacking {archive.name}"
    with (
        archive.open("rb") as raw,
        progress(description, round(size / _BYTES_PER_MB), "MB") as advance,
        _decompressed(raw) as stream,
        tarfile.open(fileobj=stream, mode="r|", bufsize=_READ_BYTES) as tar,
    ):
        read = 0
        for info in tar:
            name, modified = info.name, float(info.mtime)
            if info.isdir():
                yield _Member(name, "folder")
            elif info.isreg():
                yield _Member(name, "file", modified, partial(tar.extractfile, info))
            elif info.issym():
                yield _Member(name, "link", link_target=info.linkname)
            else:
                raise _unsafe(archive, name, "is a device, a pipe or a hard link")
            advance((raw.tell() - read) / _BYTES_PER_MB)
            read = raw.tell()
        while stream.read(_READ_BYTES):  # to the checksum at the very end
            pass


def _decompressed(raw: IO[bytes]) -> IO[bytes]:
    """What is in a compressed file; unlike tarfile's own, it notices where the file is cut."""
    start = raw.read(len(b"\xfd7zXZ"))
    raw.seek(0)
    openers: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
    for magic, opener in openers.items():
        if start.startswith(magic):
            return opener(raw)
    return raw


def _zip_members(archive: Path) -> Generator[_Member, None, None]:
    with zipfile.ZipFile(archive) as opened:
        infos = opened.infolist()
        total = sum(info.compress_size for info in infos)
        description = f"unpacking {archive.name}"
        with progress(description, round(total / _BYTES_PER_MB), "MB") as advance:
            for info in infos:
                mode = info.external_attr >> 16
                if info.is_dir():
                    yield _Member(info.filename, "folder")
                elif mode & 0o170000 not in (0, 0o100000):
                    raise _unsafe(archive, info.filename, "is a link or a device")
                else:
                    yield _Member(info.filename, "file", open=partial(opened.open, info))
                advance(info.compress_size / _BYTES_PER_MB)


def _write(member: _Member, inside: _Inside, archive: Path) -> None:
    place = _place(member.name)
    if place is None:
        raise _unsafe(archive, member.name, "leads outside")
    if any(parent in inside.links for parent in (place, *place.parents)):
        raise _unsafe(archive, member.name, "leads through a link")
    path = inside.root / place
    if member.kind == "folder":
        path.mkdir(parents=True, exist_ok=True)
        return
    if not place.parts:
        raise _unsafe(archive, member.name, "has no name")
    inside.files += 1
    if inside.files > _MOST_FILES:
        raise _unsafe(archive, member.name, f"is one of more than {_MOST_FILES:,}")
    path.parent.mkdir(parents=True, exist_ok=True)
    if member.kind == "link":
        if not _stays_inside(place, member.link_target):
            raise _unsafe(archive, member.name, f"is a link to {member.link_target}")
        path.unlink(missing_ok=True)
        path.symlink_to(member.link_target)
        inside.links.add(place)
        return
    source = member.open()
    if source is None:
        raise _unsafe(archive, member.name, "has no content")
    with source, path.open("wb") as sink:
        while piece := source.read(_READ_BYTES):
            inside.written_bytes += len(piece)
            if inside.written_bytes > inside.limit_bytes:
                raise _unsafe(
                    archive, member.name, f"makes it more than {_LARGEST_RATIO} times its size"
                )
            sink.write(piece)
    if 0 < member.modified < _LATEST_TIME:
        os.utime(path, (member.modified, member.modified))


def _place(name: str) -> PurePosixPath | None:
    """An entry's place below the folder it is unpacked in; None where it has none there."""
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts or "\\" in name or "\0" in name:
        return None
    if place.parts and ":" in place.parts[0]:  # a drive, on Windows
        return None
    return place


def _stays_inside(place: PurePosixPath, target: str) -> bool:
    """Whether a link stays inside: it may go up first, no further than its archive, then down.

    A ``..`` behind a name could be taken from wherever that name, if itself a link, leads to.
    """
    parts = PurePosixPath(target).parts
    ups = 0
    while ups < len(parts) and parts[ups] == "..":
        ups += 1
    is_relative = not PurePosixPath(target).is_absolute() and "\\" not in target
    return is_relative and ".." not in parts[ups:] and ups <= len(place.parts) - 1


def _unsafe(archive: Path, name: str, what: str) -> UnsafeArchiveError:
    return UnsafeArchiveError(
        f"{archive.name} is refused: its entry {name!r} {what}.",
        where=str(archive),
        fix="do not use this archive: what its server gave is not the corpus",
    )


def _merge(source: Path, target: Path) -> None:
    """Move what is below ``source`` below ``target``: whole folders where there are none yet."""
    for entry in source.iterdir():
        there = target / entry.name
        if entry.is_dir() and not entry.is_symlink() and there.is_dir():
            _merge(entry, there)
        else:
            entry.replace(there)
