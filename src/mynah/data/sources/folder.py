"""A folder of recordings: with a listing (metadata.csv, .tsv, .jsonl, .parquet), or with a
text file beside each.

    recordings/metadata.csv              file_name,text[,speaker,split,…]
    recordings/{train,test}/metadata.csv
    recordings/{train,test}.csv
    recordings/**/NAME.wav, NAME.txt     train/, validation/, test/ are splits where they exist
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from mynah.config.errors import UserError
from mynah.config.schema import DataConfig
from mynah.data.audio import AUDIO_SUFFIXES
from mynah.data.row import Row
from mynah.data.sources import metadata
from mynah.data.sources.base import Part, Place, RowSource, usual_split

_LISTINGS = ("metadata", "manifest", "transcripts", "validated")
# Where corpora keep the recordings that a listing names
_AUDIO_FOLDERS = ("", "audio", "clips", "wavs", "wav", "recordings")
_WHOLE = "train"


class FolderSource(RowSource):
    """Splits as the folder tells them; without any, all of it is ``train``."""

    format = "folder"

    def __init__(self, root: Path, config: DataConfig, place: Place) -> None:
        self.name = root.name
        self.identity = str(root)
        self._root = root if root.is_dir() else root.parent
        self._cache = place.cache
        self._processes = place.processes
        listings = [root] if root.is_file() else _listings(root)
        if listings:
            self._rows = _listed(self._root, listings, config.columns)
        else:
            self._rows = _beside(self._root)
        if not any(row.text for rows in self._rows.values() for row in rows):
            raise _nothing(root)
        self.has_splits = set(self._rows) != {_WHOLE}

    @classmethod
    def open(cls, config: DataConfig, place: Place) -> FolderSource:
        given = config.path or config.dataset_name
        root = (place.working_directory / Path(given).expanduser()).resolve()
        if not root.exists():
            there = _folders_beside(root)
            raise UserError(
                f"There is no folder {root}.",
                where=f"data.path={config.path}" if config.path else f"dataset_name={given}",
                fix=f"{root.parent} holds: {', '.join(there)}"
                if there
                else "Give the folder of the recordings: data.dataset_name=FOLDER",
            )
        return cls(root, config, place)

    def splits(self) -> list[str]:
        return list(self._rows)

    def parts(self, split: str) -> list[Part]:
        for name in self._rows:
            if split == name or split == usual_split(name):
                return [Part(split, name)]
        raise self.unknown_split(split)

    def rows(self, part: Part) -> list[Row]:
        return self._rows[part.key]


def _folders_beside(root: Path) -> list[str]:
    """Folders where one was looked for, those of a similar name first, eight at most."""
    names = sorted(path.name for path in root.parent.glob("*/") if not path.name.startswith("."))
    near = difflib.get_close_matches(root.name, names, n=3)
    return [*near, *(name for name in names if name not in near)][:8]


def _listings(root: Path) -> list[Path]:
    """Listing files: at the root, in the folders below it, or one named after each split."""
    for folders in ([root], sorted(path for path in root.iterdir() if path.is_dir())):
        files = [
            path
            for folder in folders
            for path in sorted(folder.iterdir())
            if path.is_file() and path.suffix in metadata.SUFFIXES
        ]
        by_split = [path for path in files if usual_split(path.stem)]
        named = [path for path in files if path.stem.lower() in _LISTINGS]
        if named:
            return _first_of_each_folder(named)
        if by_split:
            return by_split
        if folders == [root] and len(files) == 1:
            return files
    return []


def _first_of_each_folder(paths: list[Path]) -> list[Path]:
    first: dict[Path, Path] = {}
    for path in sorted(paths, key=lambda path: metadata.SUFFIXES.index(path.suffix)):
        first.setdefault(path.parent, path)
    return list(first.values())


def _listed(root: Path, listings: list[Path], columns: dict[str, str]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for listing in listings:
        if usual_split(listing.stem):
            default = listing.stem
        else:
            default = listing.parent.name if listing.parent != root else _WHOLE
        finder = _Finder(listing.parent, root)
        for number, listed in enumerate(metadata.read(listing, columns), 1):
            if "audio" not in listed:
                raise UserError(f"Row {number} names no audio file.", where=str(listing))
            row = _row(listed, finder, root)
            split = str(listed.get("split", default))
            found.setdefault(split, []).append(row)
    return found


def _row(listed: dict[str, Any], finder: _Finder, root: Path) -> Row:
    audio = listed["audio"]
    content = audio.get("bytes") if isinstance(audio, dict) else None
    name = str((audio.get("path") or "audio") if isinstance(audio, dict) else audio)
    path = None if content else finder.find(name)
    offset = float(listed.get("offset_seconds", 0.0))
    # A listing's duration tells the length of a file; only beside an offset does it cut.
    duration = listed.get("duration_seconds") if "offset_seconds" in listed else None
    if "end_seconds" in listed:
        duration = float(listed["end_seconds"]) - offset
    text = str(listed.get("text", "")).strip()
    return Row(
        id=str(listed.get("id", name)),
        path=str(path) if path else None,
        audio=content,
        text=text or None,
        offset_seconds=offset,
        duration_seconds=float(duration) if duration is not None else None,
        channel=int(listed["channel"]) if "channel" in listed else None,
        speaker=str(listed.get("speaker", "")),
        language=str(listed.get("language", "")),
        source=root.name,
    )


class _Finder:
    """Finds the files that a listing names; remembers in which folder the last one was."""

    def __init__(self, folder: Path, root: Path) -> None:
        self._folders = [folder / name for name in _AUDIO_FOLDERS]
        if root != folder:
            self._folders += [root / name for name in _AUDIO_FOLDERS]

    def find(self, name: str) -> Path:
        wanted = Path(name).expanduser()
        endings = [""] if wanted.suffix.lower() in AUDIO_SUFFIXES else ["", *AUDIO_SUFFIXES]
        for position, folder in enumerate(self._folders):
            for ending in endings:
                file = folder / f"{wanted}{ending}"
                if file.is_file():
                    self._folders.insert(0, self._folders.pop(position))
                    return file
        return self._folders[0] / wanted  # absent: found out, named and counted when it is read


def _beside(root: Path) -> dict[str, list[Row]]:
    """Recordings with a text file of the same name beside them."""
    files = sorted(
        path for path in root.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file()
    )
    if not files:
        raise UserError(
            "There are no recordings in this folder."
            if any(root.iterdir())
            else "This folder is empty.",
            where=str(root),
            fix="It takes a metadata.csv with the columns file_name and text, and the audio "
            f"files it names ({', '.join(sorted(AUDIO_SUFFIXES))})",
        )
    found: dict[str, list[Row]] = {}
    for file in files:
        relative = file.relative_to(root)
        top = relative.parts[0] if len(relative.parts) > 1 else ""
        split = top if usual_split(top) else _WHOLE
        within = relative.parts[1:-1] if split == top else relative.parts[:-1]
        beside = file.with_suffix(".txt")
        text = beside.read_text(encoding="utf-8").strip() if beside.is_file() else ""
        found.setdefault(split, []).append(
            Row(
                id=relative.as_posix(),
                path=str(file),
                text=" ".join(text.split()) or None,
                speaker=within[0] if within else "",
                source=root.name,
            )
        )
    return found


def _nothing(root: Path) -> UserError:
    return UserError(
        "There are no transcripts in this folder.",
        where=str(root),
        fix="Write a metadata.csv with the columns file_name and text, or a text file of the "
        "same name beside each recording",
    )
