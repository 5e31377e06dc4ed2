"""A folder of recordings to augment with: listed once, each file looked at before training."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mynah import console
from mynah.data.audio import containers
from mynah.data.audio import files as audio_files
from mynah.errors import UserError

_NAMED = 5  # unusable files named one by one; the others are counted
_LOOKED_AT_SECONDS = 1.0  # of each file, at its beginning
_SAMPLED_BYTES = 1 << 16  # of each end of a file, for the fingerprint
_SILENCE = 1e-5  # peak, full scale is 1: below what 16 bits can hold


@dataclass(frozen=True)
class AudioFolder:
    """The files of a folder that can be used.

    Attributes:
        root: The folder.
        files: Their paths in it, with ``/``, sorted.
        seconds: How long each is, float64 [files].
        dropped: What cannot be used: path and reason.
        fingerprint: Of the names, sizes and both ends of the files, wherever they lie.
    """

    root: Path
    files: tuple[str, ...]
    seconds: np.ndarray
    dropped: tuple[tuple[str, str], ...]
    fingerprint: str


def read_file(path: str | Path, sample_rate: int, **piece: Any) -> np.ndarray:
    """A file or a piece of it, mono float32 [samples].

    ``piece`` is as in :func:`mynah.data.audio.files.read`.

    Raises:
        ValueError: It has become unreadable; the message names it.
    """
    try:
        return audio_files.read(path, sample_rate, **piece)
    except (ValueError, OSError) as problem:
        raise ValueError(f"{path} cannot be read: {problem}") from problem


def open_folder(folder: str | Path, setting: str, describe: str) -> AudioFolder:
    """List the audio in a folder and below, and look at each file.

    Files that cannot be used are named and left out.

    Args:
        folder: Where they lie.
        setting: Who names it, as ``"data.augmentation.noise_folder"``.
        describe: What is in it, as ``"noise"``.

    Raises:
        UserError: There is no such folder, or no audio in it that can be used.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise UserError(f"There is no folder {root}.", where=f"{setting}={folder}")
    names = _audio_files(root)
    if not names:
        raise UserError(
            f"There is no audio in {root}, nor in the folders below it.",
            where=f"{setting}={folder}",
            fix="name the folder that holds the recordings: "
            + ", ".join(sorted(suffix.removeprefix(".") for suffix in audio_files.AUDIO_SUFFIXES)),
        )
    found: list[_File] = []
    with (
        console.progress(f"looking at {describe}", total=len(names), unit="files") as advance,
        ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool,
    ):
        for one in pool.map(_look_at, [root] * len(names), names):
            found.append(one)
            advance()
    dropped = [(one.name, one.problem) for one in found if one.problem is not None]
    _say_dropped(root, dropped, describe)
    usable = [one for one in found if one.problem is None]
    if not usable:
        name, reason = dropped[0]
        raise UserError(
            f"Of the {len(names):,} audio files in {root} none can be used; {name}: {reason}.",
            where=f"{setting}={folder}",
            fix="check the recordings, or leave the setting out",
        )
    digest = hashlib.blake2b(digest_size=16)
    for one in usable:
        digest.update(f"{one.name}\0{one.digest}\0".encode())
    return AudioFolder(
        root,
        tuple(one.name for one in usable),
        np.array([one.seconds for one in usable]),
        tuple(dropped),
        digest.hexdigest(),
    )


@dataclass(frozen=True)
class _File:
    name: str
    seconds: float = 0.0
    digest: str = ""
    problem: str | None = None


def _audio_files(root: Path) -> list[str]:
    """Paths below ``root``, links followed, in an order that no file system decides."""
    found = []
    for directory, _, names in os.walk(root, followlinks=True):
        below = Path(directory).relative_to(root)
        found += [
            (below / name).as_posix()
            for name in names
            if Path(name).suffix.lower() in audio_files.AUDIO_SUFFIXES and not name.startswith(".")
        ]
    return sorted(found)


def _look_at(root: Path, name: str) -> _File:
    path = root / name
    try:
        size = path.stat().st_size
        digest = hashlib.blake2b(str(size).encode(), digest_size=8)
        with path.open("rb") as content:
            if (problem := containers.cut_short(content, size)) is not None:
                return _File(name, problem=problem)
            content.seek(0)
            digest.update(content.read(_SAMPLED_BYTES))
            content.seek(max(0, size - _SAMPLED_BYTES))
            digest.update(content.read(_SAMPLED_BYTES))
        about = audio_files.probe(path)
        seconds = about.duration_seconds
        if seconds is None:
            seconds = audio_files.inspect(path)[0]  # its container does not tell
        beginning = audio_files.read(
            path, about.sample_rate, duration_seconds=min(seconds, _LOOKED_AT_SECONDS)
        )
        # A second of silence may begin a recording; only then is all of it listened to.
        if _silent(beginning) and _silent(audio_files.read(path, about.sample_rate)):
            return _File(name, problem="it is silent")
    except (ValueError, OSError, RuntimeError) as error:
        return _File(name, problem=str(error).rstrip("."))
    return _File(name, seconds, digest.hexdigest())


def _silent(samples: np.ndarray) -> bool:
    return float(np.abs(samples).max(initial=0.0)) < _SILENCE


def _say_dropped(root: Path, dropped: list[tuple[str, str]], describe: str) -> None:
    for name, reason in dropped[:_NAMED]:
        console.notice(f"The {describe} file {root / name} is left out: {reason}.")
    if len(dropped) > _NAMED:
        console.notice(f"{len(dropped) - _NAMED:,} more {describe} files are left out.")
