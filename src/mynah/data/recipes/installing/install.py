"""From a recipe to a corpus in a folder: downloaded, checked, unpacked, each of it once."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path

from mynah.console import progress, say
from mynah.data.recipes.installing.fetch import download
from mynah.data.recipes.installing.receipts import FILE_NAME, Receipt, Receipts, now
from mynah.data.recipes.installing.recipe import Archive, Checksum, Recipe, size
from mynah.data.recipes.installing.unpack import DamagedArchiveError, UnsafeArchiveError, unpack
from mynah.errors import UserError

_BYTES_PER_MB = 1e6
_CHECKED_SILENTLY_BYTES = 100_000_000
_BY_HAND = "put here by hand"


def install_recipe(
    recipe: Recipe,
    directory: Path,
    *,
    parts: Sequence[str] | None = None,
    mirror: str | None = None,
    keep_archives: bool = False,
    offline: bool = False,
) -> list[str]:
    """Download and unpack what is not there yet.

    Args:
        recipe: Which corpus.
        directory: Where it goes.
        parts: Which parts of it; None: all.
        mirror: Address of a folder that has the archives, in place of the published ones.
        keep_archives: Whether archives stay when they are unpacked.
        offline: Whether the network must not be used: archives must lie in ``directory``.

    Returns:
        The corpus's parts that lie in ``directory``, in the recipe's order.

    Raises:
        UserError: No such part, no space, no server that gives an archive, an archive that is
            not what was published or not safe, or ``offline``.
    """
    import filelock

    archives = recipe.choose(parts)
    directory.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(directory / ".mynah-downloads.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise UserError(
            "Another download works in this folder.",
            where=str(directory),
            fix="wait for it, or choose another folder by --to",
        ) from None
    try:
        receipts = Receipts.read(directory)
        missing = [one for one in archives if not _is_there(recipe, one, directory, receipts)]
        for archive in archives:
            if archive not in missing:
                say(f"{archive.folder} is there: nothing to do")
        if missing:
            _check(recipe, missing, directory, receipts, keep_archives, offline)
            _announce(recipe, missing, directory)
        for archive in missing:
            _install_one(recipe, archive, directory, receipts, mirror, keep_archives)
        there = receipts.parts(recipe.name)
    finally:
        lock.release()
    return [archive.part for archive in recipe.archives if archive.part in there]


def _is_there(recipe: Recipe, archive: Archive, directory: Path, receipts: Receipts) -> bool:
    receipt = receipts.get(recipe.name, archive.file_name)
    return (
        receipt is not None and receipt.files is not None and (directory / archive.folder).is_dir()
    )


def _check(
    recipe: Recipe,
    archives: Sequence[Archive],
    directory: Path,
    receipts: Receipts,
    keep_archives: bool,
    offline: bool,
) -> None:
    """Whether all can be done, before any of it is."""
    for archive in archives:
        folder = directory / archive.folder
        if folder.exists() and receipts.get(recipe.name, archive.file_name) is None:
            raise UserError(
                f"{folder} is there, and not from this command: it is left as it is.",
                where=str(folder),
                fix="move it away, or choose another folder by --to",
            )
        if offline and not (directory / archive.file_name).exists():
            raise UserError(
                f"{archive.file_name} is not here, and the network must not be used.",
                where="--offline, or HF_HUB_OFFLINE=1",
                fix=f"leave that out, or put the archive into {directory} by hand "
                f"({archive.urls[0]}) and give the same command again",
            )
    held = sum(_held_bytes(directory, archive) for archive in archives)
    sizes = [archive.size_bytes for archive in archives]
    needed = sum(archive.unpacked_bytes for archive in archives) - held
    needed += sum(sizes) if keep_archives else max(sizes)
    free = shutil.disk_usage(directory).free
    if needed > free:
        raise UserError(
            f"About {size(needed)} are needed, {size(free)} are free.",
            where=str(directory),
            fix="choose another disk by --to, or fewer parts by --parts "
            f"({', '.join(archive.part for archive in recipe.archives)})",
        )


def _held_bytes(directory: Path, archive: Archive) -> int:
    """How much of an archive is here already."""
    for name in (archive.file_name, archive.file_name + ".part"):
        if (directory / name).exists():
            return (directory / name).stat().st_size
    return 0


def _announce(recipe: Recipe, archives: Sequence[Archive], directory: Path) -> None:
    say(f"{recipe.title}, {recipe.homepage}")
    say(f"Licence: {recipe.licence}")
    total, unpacked = (
        sum(getattr(archive, name) for archive in archives)
        for name in ("size_bytes", "unpacked_bytes")
    )
    names = ", ".join(archive.part for archive in archives)
    say(f"To {directory}: {names}; {size(total)} to download, {size(unpacked)} unpacked")


def _install_one(
    recipe: Recipe,
    archive: Archive,
    directory: Path,
    receipts: Receipts,
    mirror: str | None,
    keep_archives: bool,
) -> None:
    file = directory / archive.file_name
    known = receipts.get(recipe.name, archive.file_name)
    expected = archive.checksum or (_parsed(known.checksum) if known else None)
    was_here = file.exists()
    url = known.url if known else _BY_HAND
    if was_here:
        mistake = _mistake(file, expected, archive)
        if mistake:
            raise UserError(
                f"{file} is here, but {mistake}.",
                where=str(file),
                fix="remove it and give the same command again",
            )
    else:
        urls = [f"{mirror.rstrip('/')}/{archive.file_name}"] if mirror else archive.urls
        url = download(
            urls,
            file,
            size_bytes=archive.size_bytes if archive.size_is_exact else None,
            is_verified=expected is not None,
            find_mistake=lambda path: _mistake(path, expected, archive),
        )
    checksum = expected or _checksum(file, "sha256")
    receipt = Receipt(archive.part, str(checksum), file.stat().st_size, url, now(), files=None)
    receipts.put(recipe.name, archive.file_name, receipt)  # from here on its folder is ours
    try:
        files = unpack(file, directory, archive.folder)
    except (UnsafeArchiveError, DamagedArchiveError):
        if known is None or known.files is None:  # what it looks like is nothing to hold on to
            receipts.drop(recipe.name, archive.file_name)
        if url != _BY_HAND:
            file.unlink()
        raise
    receipts.put(recipe.name, archive.file_name, dataclasses.replace(receipt, files=files))
    if url != _BY_HAND and not keep_archives:
        file.unlink()
    say(f"{archive.folder}: {files:,} files, {checksum}")


def _mistake(file: Path, expected: Checksum | None, archive: Archive) -> str | None:
    """What tells a file from the archive that it should be, or None."""
    if expected is None:
        return None
    found = _checksum(file, expected.algorithm)
    if found == expected:
        return None
    if archive.checksum is not None:
        return f"its checksum is {found}, not {expected} as published"
    return (
        f"its checksum is {found}, not {expected} as when it was first downloaded here (to take "
        f"the new one, remove {FILE_NAME})"
    )


def _checksum(file: Path, algorithm: str) -> Checksum:
    total = file.stat().st_size
    if total < _CHECKED_SILENTLY_BYTES:
        return Checksum.of(file, algorithm, lambda _: None)
    with progress(f"checking {file.name}", round(total / _BYTES_PER_MB), "MB") as advance:
        return Checksum.of(file, algorithm, lambda count: advance(count / _BYTES_PER_MB))


def _parsed(text: str) -> Checksum:
    algorithm, _, digest = text.partition(":")
    return Checksum(algorithm, digest)
