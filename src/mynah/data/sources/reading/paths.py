"""Recordings that a listing names, found on disk; a path that leaves the corpus is refused.

A corpus comes from somebody, and its listing could name any file of this machine. So a
recording must lie in the corpus's folder, wherever a relative path, an absolute one or a
symbolic link leads, or in one of ``data.audio_folders``. The manifests of NeMo, Kaldi and
Lhotse are written on the machine where they are used and name absolute paths as a rule: there
an absolute path is followed, and only a relative one that climbs out is refused.
"""
# pathlib raises on odd names where os.path says no, and is slower:
# ruff: noqa: PTH110, PTH206, PTH208, PTH111, PTH113, PTH114, PTH117, PTH118, PTH120, PTH122

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from mynah.config.schema import DataConfig
from mynah.data.audio.files import AUDIO_SUFFIXES
from mynah.data.sources.reading.source import Place
from mynah.errors import UserError

# Where corpora keep the recordings that a listing names
_SUBFOLDERS = ("", "audio", "clips", "wavs", "wav", "recordings")
_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")
_LONGEST_TAIL = 8  # folders of an absolute name that may lie elsewhere now
_COMMON_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".sph", ".m4a")


class AudioPaths:
    """Finds the recordings that a listing names; remembers in which folder the last one was.

    Args:
        root: The corpus's folder.
        config: ``audio_folders`` are looked in too, and may be led into.
        place: Where the command is typed.
        folders: Where relative names are looked for first; the root is always looked in.
        absolute: Whether the format names absolute paths by right.
    """

    def __init__(
        self,
        root: Path,
        config: DataConfig,
        place: Place,
        *,
        folders: Sequence[Path] = (),
        absolute: bool = False,
    ) -> None:
        others = [
            (place.working_directory / Path(name).expanduser()).resolve()
            for name in config.audio_folders
        ]
        self._others = [str(folder) for folder in others]
        below = [base / name for base in (*folders, root) for name in _SUBFOLDERS]
        last = [*others, *([place.working_directory] if absolute else [])]
        self._folders = [str(folder) for folder in dict.fromkeys([*below, *last])]
        self._endings = ["", *_COMMON_SUFFIXES, *sorted(AUDIO_SUFFIXES - set(_COMMON_SUFFIXES))]
        allowed = [root, *others, *([place.working_directory] if absolute else [])]
        self._allowed = [os.path.realpath(folder) for folder in (*allowed, *_hub_blobs(root))]
        self._absolute = absolute
        self._real: dict[str, tuple[str, bool]] = {}  # see _real_folder

    def find(self, name: str, where: str) -> str:
        """The file of a recording; where it would be, if it is nowhere: that is found out,
        named and counted when it is read.

        Args:
            name: As the listing names it.
            where: File and line, for the error.

        Raises:
            UserError: It leads out of the corpus, or is not a path at all.
        """
        if not name.strip() or "\0" in name:
            raise UserError(f"{name!r} names no audio file.", where=where)
        if "://" in name and _URL.match(name) and not name.startswith("file://"):
            raise UserError(
                f"{name[:80]} is an address, and nothing is fetched from addresses in a listing.",
                where=where,
                fix="Download the recordings, and name the files.",
            )
        wanted = name.removeprefix("file://")
        if wanted.startswith("~"):
            wanted = os.path.expanduser(wanted)
        if os.path.isabs(wanted):
            found = self._with_ending(wanted) or composed(wanted) or self._moved(wanted, where)
            if not self._absolute:
                self._check(found, name, where)
            return found
        path = self._search(wanted)
        if path is None and "\\" in wanted:
            path = self._search(wanted.replace("\\", "/"))
        if path is None and not wanted.isascii():
            names = (composed(os.path.join(folder, wanted)) for folder in self._folders)
            path = next((name for name in names if name), None)
        found = path or os.path.join(self._folders[0], wanted)
        if not self._absolute or ".." in wanted.split("/"):
            self._check(found, name, where)
        return found

    def _moved(self, wanted: str, where: str) -> str:
        """An absolute name that is not there: the same below ``data.audio_folders``, or itself.

        Raises:
            UserError: The recording lies in the corpus, which is not where it was.
        """
        parts = [part for part in wanted.split("/") if part]
        for length in range(min(len(parts), _LONGEST_TAIL), 0, -1):
            tail = os.path.join(*parts[-length:])
            for folder in self._others:
                if os.path.isfile(os.path.join(folder, tail)):
                    return os.path.join(folder, tail)
            for folder in self._folders:
                if folder not in self._others and os.path.isfile(os.path.join(folder, tail)):
                    raise UserError(
                        f"There is no file {wanted[:200]}, and {tail[:200]} lies in {folder}: the "
                        "listing was made elsewhere.",
                        where=where,
                        fix=f"data.audio_folders=[{folder}]",
                    )
        return wanted

    def _search(self, wanted: str) -> str | None:
        for position, folder in enumerate(self._folders):
            file = self._with_ending(os.path.join(folder, wanted))
            if file is not None:
                if position:
                    self._folders.insert(0, self._folders.pop(position))
                return file
        return None

    def _with_ending(self, file: str) -> str | None:
        for position, ending in enumerate(self._endings):
            if os.path.isfile(file + ending):
                if position:
                    self._endings.insert(0, self._endings.pop(position))
                return file + ending
            # A name that has an ending of its own is meant as it stands.
            if not ending and os.path.splitext(file)[1].lower() in AUDIO_SUFFIXES:
                return None
        return None

    def _check(self, file: str, name: str, where: str) -> None:
        """
        Raises:
            UserError: The file is outside the folders where recordings may lie.
        """
        folder, base = os.path.split(file)
        real, allows = self._real.get(folder) or self._real_folder(folder)
        is_led = base in ("..", ".") or os.path.islink(file)
        if allows and not is_led:
            return
        led = os.path.realpath(file) if is_led else os.path.join(real, base)
        if self._is_allowed(led):
            return
        raise UserError(
            f"{name[:200]} leads out of the corpus, to {led[:200]}.",
            where=where,
            fix="Move the recordings into the corpus's folder, or, if you trust the listing: "
            f"data.audio_folders=[{os.path.dirname(led)[:200]}]",
        )

    def _real_folder(self, folder: str) -> tuple[str, bool]:
        """Where a folder really is, and whether what lies in it may be read."""
        real = os.path.realpath(folder)
        self._real[folder] = real, self._is_allowed(real)
        return self._real[folder]

    def _is_allowed(self, path: str) -> bool:
        return any(_inside(path, allowed) for allowed in self._allowed)


def composed(path: str) -> str | None:
    """A file whose name is written in other code points, as ``ü`` or ``u`` with two dots: macOS
    and some archives take letters apart (Unicode's NFD). None: there is none."""
    if path.isascii():
        return None
    found = os.sep if os.path.isabs(path) else os.curdir
    for part in path.split(os.sep):
        if part and os.path.exists(os.path.join(found, part)):
            found = os.path.join(found, part)
        elif part:
            wanted = unicodedata.normalize("NFC", part)
            try:
                names = os.listdir(found)
            except OSError:
                return None
            same = [name for name in names if unicodedata.normalize("NFC", name) == wanted]
            if not same or part.isascii():
                return None
            found = os.path.join(found, sorted(same)[0])
    return found if os.path.isfile(found) else None


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _hub_blobs(root: Path) -> list[Path]:
    """Where the files of a downloaded snapshot really lie, if the corpus is in one: the hub's
    cache links ``snapshots/COMMIT/FILE`` to ``blobs/DIGEST``."""
    for folder in (root, *root.parents):
        if folder.parent.name == "snapshots" and (folder.parent.parent / "blobs").is_dir():
            return [folder.parent.parent / "blobs"]
    return []
