"""Unpacking an archive that was downloaded, trusting nothing in it.

It is unpacked into a folder of its own and moved from there when all of it is there, so that
an interrupted unpacking leaves nothing that looks complete.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import shutil
import tarfile
import time
import zipfile
import zlib
from dataclasses import dataclass, field
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


@dataclass
class _Inside:
    """What may be written below a folder, and what has been."""

    archive: Path
    root: Path
    limit_bytes: int
    written_bytes: int = 0
    files: int = 0
    links: set[PurePosixPath] = field(default_factory=set)

    def admit(self, name: str, size_bytes: int, *, is_folder: bool = False) -> PurePosixPath:
        """An entry's place below the folder.

        Raises:
            UnsafeArchiveError: It has none there, or the archive holds too much.
        """
        place = PurePosixPath(name)
        # A drive, on Windows; zipfile would take such names as if they led inside.
        has_drive = bool(place.parts) and ":" in place.parts[0]
        if place.is_absolute() or ".." in place.parts or has_drive or {"\\", "\0"} & set(name):
            raise self.unsafe(name, "leads outside")
        if any(parent in self.links for parent in (place, *place.parents)):
            raise self.unsafe(name, "leads through a link")
        if is_folder:
            return place
        if not place.parts:
            raise self.unsafe(name, "has no name")
        self.files += 1
        if self.files > _MOST_FILES:
            raise self.unsafe(name, f"is one of more than {_MOST_FILES:,}")
        # Neither tarfile nor zipfile writes more of an entry than its header says.
        self.written_bytes += size_bytes
        if self.written_bytes > self.limit_bytes:
            raise self.unsafe(name, f"makes it more than {_LARGEST_RATIO} times its size")
        return place

    def unsafe(self, name: str, what: str) -> UnsafeArchiveError:
        return UnsafeArchiveError(
            f"{self.archive.name} is refused: its entry {name!r} {what}.",
            where=str(self.archive),
            fix="do not use this archive: what its server gave is not the corpus",
        )


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
    inside = _Inside(archive, staging, limit)
    try:
        (_extract_zip if zipfile.is_zipfile(archive) else _extract_tar)(inside)
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


def _extract_tar(inside: _Inside) -> None:
    """Entry by entry as they come, by tarfile's own filter for data and with more refused."""
    size = inside.archive.stat().st_size
    description = f"unpacking {inside.archive.name}"
    with (
        inside.archive.open("rb") as raw,
        progress(description, round(size / _BYTES_PER_MB), "MB") as advance,
        _decompressed(raw) as stream,
        tarfile.open(fileobj=stream, mode="r|", bufsize=_READ_BYTES) as tar,
    ):
        read = 0
        for info in tar:
            place = inside.admit(info.name, info.size, is_folder=info.isdir())
            if not (info.isreg() or info.isdir() or info.issym()):
                raise inside.unsafe(info.name, "is a device, a pipe or a hard link")
            if info.issym():
                if _turns_back(info.linkname):
                    raise inside.unsafe(info.name, f"is a link to {info.linkname}")
                inside.links.add(place)
            if not 0 < info.mtime < _LATEST_TIME:
                info.mtime = round(time.time())
            info.mode = 0o644  # readable, whatever the account that packed it kept to itself
            try:
                tar.extract(info, inside.root, filter="data")
            except tarfile.FilterError as problem:
                what = f"is a link to {info.linkname}" if info.issym() else "leads outside"
                raise inside.unsafe(info.name, what) from problem
            advance((raw.tell() - read) / _BYTES_PER_MB)
            read = raw.tell()
        while stream.read(_READ_BYTES):  # to the checksum at the very end
            pass


def _turns_back(target: str) -> bool:
    """Whether a link's target goes up behind a name, which could be taken from wherever that
    name, if itself a link that comes later, leads to; or has a backslash, a slash on Windows."""
    parts = PurePosixPath(target).parts
    return ".." in parts[parts.count("..") :] or "\\" in target


def _decompressed(raw: IO[bytes]) -> IO[bytes]:
    """What is in a compressed file; unlike tarfile's own, it notices where the file is cut."""
    start = raw.read(len(b"\xfd7zXZ"))
    raw.seek(0)
    openers: dict[bytes, Any] = {
        b"\x1f\x8b": gzip.open,
        b"BZh": bz2.open,
        b"\xfd7zXZ": lzma.open,
    }
    for magic, opener in openers.items():
        if start.startswith(magic):
            opened: IO[bytes] = opener(raw)
            return opened
    return raw


def _extract_zip(inside: _Inside) -> None:
    with zipfile.ZipFile(inside.archive) as opened:
        infos = opened.infolist()
        total = sum(info.compress_size for info in infos)
        description = f"unpacking {inside.archive.name}"
        with progress(description, round(total / _BYTES_PER_MB), "MB") as advance:
            for info in infos:
                mode = info.external_attr >> 16
                inside.admit(info.filename, info.file_size, is_folder=info.is_dir())
                if not info.is_dir() and mode & 0o170000 not in (0, 0o100000):
                    raise inside.unsafe(info.filename, "is a link or a device")
                opened.extract(info, inside.root)
                advance(info.compress_size / _BYTES_PER_MB)


def _merge(source: Path, target: Path) -> None:
    """Move what is below ``source`` below ``target``: entire folders where there are none yet."""
    for entry in source.iterdir():
        there = target / entry.name
        if entry.is_dir() and not entry.is_symlink() and there.is_dir():
            _merge(entry, there)
        else:
            entry.replace(there)
