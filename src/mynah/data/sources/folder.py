"""A folder of recordings: with a listing (metadata.csv, .tsv, .jsonl, .parquet), or with a
text file beside each.

    recordings/metadata.csv              file_name,text[,speaker,split,…]
    recordings/{train,test}/metadata.csv
    recordings/{train,test}.csv
    recordings/**/NAME.wav, NAME.txt     train/, validation/, test/ are splits where they exist

A listing in three lines, and the command that reads it::

    file_name,text,speaker
    0001.wav,i would like to change my booking,anna
    python src/train_hydra.py data.dataset_name=./recordings
"""

from __future__ import annotations

import difflib
import shlex
from pathlib import Path

from mynah.config.schema import DataConfig
from mynah.console import notice
from mynah.data.audio.files import AUDIO_SUFFIXES
from mynah.data.row import Row
from mynah.data.sources.reading import metadata, values
from mynah.data.sources.reading.lines import read_lines
from mynah.data.sources.reading.listed import rows_of
from mynah.data.sources.reading.listings import Listings, listings
from mynah.data.sources.reading.metadata import LISTING_SUFFIXES
from mynah.data.sources.reading.paths import AudioPaths
from mynah.data.sources.reading.source import (
    ONLY_SPLIT,
    Part,
    Place,
    RowSource,
    joined_split,
    usual_split,
)
from mynah.errors import UserError

_LISTS = tuple(f"{ending}{packed}" for ending in LISTING_SUFFIXES for packed in ("", ".gz"))
# What `mynah data segment` cuts recordings by.
TIMED_TRANSCRIPT_SUFFIXES = (".srt", ".vtt", ".stm", ".ctm", ".textgrid")


class FolderSource(RowSource):
    """Splits as the folder tells them; without any, all of it is ``train``."""

    format = "folder"

    def __init__(self, root: Path, config: DataConfig, place: Place) -> None:
        super().__init__(config, place, name=root.name, identity=str(root))
        folder = root if root.is_dir() else root.parent
        found = Listings((root,)) if root.is_file() else listings(root)
        if found.files:
            self._rows = _listed(folder, found, config, place)
        else:
            self._rows = _beside(folder)
        if not any(row.text or row.no_speech for rows in self._rows.values() for row in rows):
            raise _nothing(root)
        self.has_splits = set(self._rows) != {ONLY_SPLIT}

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

    def rows(self, part: Part) -> list[Row]:
        return self._rows[part.key]


def _folders_beside(root: Path) -> list[str]:
    """Folders where one was looked for, those of a similar name first, eight at most."""
    names = sorted(path.name for path in root.parent.glob("*/") if not path.name.startswith("."))
    near = difflib.get_close_matches(root.name, names, n=3)
    return [*near, *(name for name in names if name not in near)][:8]


def _listed(root: Path, there: Listings, config: DataConfig, place: Place) -> dict[str, list[Row]]:
    """The rows of each split.

    Raises:
        UserError: A listing cannot be understood; file and line are named.
    """
    found: dict[str, list[Row]] = {}
    splits: dict[str, str] = {}
    measured: set[tuple[str | None, float, int | None]] = set()  # of the listings before
    again = 0
    for listing in there.files:
        if usual_split(listing.stem):
            default = listing.stem
        else:
            default = listing.parent.name if listing.parent != root else ONLY_SPLIT
        paths = AudioPaths(root, config, place, folders=[listing.parent])
        line = f"{listing}, {'row' if listing.suffix.lower() == '.parquet' else 'line'}"
        for number, listed in metadata.read_listing(listing, config.columns):
            where = f"{line} {number}"
            if "audio" not in listed:
                raise UserError("No audio file is named here.", where=where)
            audio = listed["audio"]
            name = values.text(
                audio.get("path") if isinstance(audio, dict) else audio, "audio file", where
            )
            cell = values.text(listed.get("split"), "split", where)
            split = joined_split(cell if cell.strip() else default, splits)
            rows = rows_of(
                listed,
                where=where,
                path=paths.find(name, where),
                name=name,
                source=root.name,
                channels=config.channels,
            )
            kept = [row for row in rows if _place(row) not in measured] if measured else rows
            again += len(rows) - len(kept)
            found.setdefault(split, []).extend(kept)
        if there.by_rest and usual_split(listing.stem):
            measured |= {_place(row) for rows in found.values() for row in rows}
    _tell(root, there, again)
    return {split: rows for split, rows in found.items() if rows}


def _place(row: Row) -> tuple[str | None, float, int | None]:
    return row.path, row.offset_seconds, row.channel


def _tell(root: Path, there: Listings, again: int) -> None:
    """Say which listings are not read, and which rows another one has."""
    read = ", ".join(path.relative_to(root).as_posix() for path in there.files)
    if there.left_out:
        others = ", ".join(path.relative_to(root).as_posix() for path in there.left_out)
        notice(
            f"Of the listings in {root.name}, {read} {'is' if len(there.files) == 1 else 'are'} "
            f"read; left out: {others} (data.path=FILE reads one alone)."
        )
    if again:
        notice(
            f"{again:,} rows of {there.files[-1].name} are in the listings of other splits as "
            f"well ({read}): they are measured, and not trained on."
        )


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
        split = top if usual_split(top) else ONLY_SPLIT
        within = relative.parts[1:-1] if split == top else relative.parts[:-1]
        text = _transcript(file)
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


def _transcript(recording: Path) -> str:
    """What the text file beside a recording says, "" where none can be read. Bytes that are not
    UTF-8 become the sign for lost letters, by which preparation knows and names the row; so do
    the zeros of UTF-16."""
    for suffix in (".txt", ".TXT", ".Txt"):
        path = recording.with_suffix(suffix)
        try:
            if not path.is_file():  # a pipe would be waited for
                continue
            content = path.read_bytes()
        except OSError:
            continue
        return content.decode("utf-8-sig", errors="replace").replace("\0", "\ufffd")
    return ""


def _nothing(root: Path) -> UserError:
    folder = root if root.is_dir() else root.parent
    timed = sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in TIMED_TRANSCRIPT_SUFFIXES
    )
    if timed:
        return UserError(
            f"There are no transcripts of utterances in this folder, but transcripts with times, "
            f"as {timed[0].name}.",
            where=str(root),
            fix=f"mynah data segment {shlex.quote(str(folder))} --to utterances  cuts the "
            "recordings by them",
        )
    lists = [root] if root.is_file() else sorted(root.iterdir())
    empty = [one for one in lists if one.name.lower().endswith(_LISTS) and _is_empty(one)]
    if empty:
        return UserError(
            f"{empty[0].name} is empty: no recording is listed in it.",
            where=str(empty[0]),
            fix="copy it again from where it is intact, or write it again",
        )
    return UserError(
        "There are no transcripts in this folder.",
        where=str(root),
        fix="Write a metadata.csv with the columns file_name and text, or a text file of the "
        "same name beside each recording",
    )


def _is_empty(path: Path) -> bool:
    """Whether a listing holds nothing but blanks, compressed or not."""
    if not path.is_file():
        return False
    try:
        return not any(line.strip() for _, line in read_lines(path))
    except UserError:
        return False
