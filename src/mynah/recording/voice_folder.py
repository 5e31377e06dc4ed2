"""A folder of recordings with what is said in them, which ``data.dataset_name`` takes.

    my_voice/metadata.csv    file_name,text,speaker
    my_voice/0001.wav        16 bits, mono

A row is added when its recording lies there, each file complete or not at all, so that whoever
stops in the middle keeps what is done. It is added to the list as it is by then: another session,
or a person, may have changed it meanwhile.
"""

from __future__ import annotations

import csv
import io
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from mynah.errors import UserError
from mynah.files import alone, write_bytes, write_text

METADATA = "metadata.csv"
_LOCK = f".{METADATA}.lock"
_COLUMNS = ("file_name", "text", "speaker")


@dataclass(frozen=True)
class Kept:
    """One recording of the folder.

    Attributes:
        file_name: Its name there.
        text: What is said in it.
        speaker: Who says it, "" where that is not known.
    """

    file_name: str
    text: str
    speaker: str


class VoiceFolder:
    """Recordings that are added one by one; may be used from several threads.

    Args:
        path: The folder; made with the first recording.

    Raises:
        UserError: It holds a list that is not of this kind, or is a file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._rows = _read(path)

    @property
    def rows(self) -> tuple[Kept, ...]:
        """What is there, in the order in which it was added."""
        return tuple(self._rows)

    def find(self, text: str, speaker: str) -> Kept | None:
        """The recording of a text by a speaker."""
        said = (row for row in self._rows if (row.text, row.speaker) == (text, speaker))
        return next(said, None)

    def add(
        self,
        audio: np.ndarray,
        rate: int,
        text: str,
        speaker: str,
        *,
        replaces: Kept | None = None,
    ) -> Kept:
        """Add a recording.

        Args:
            audio: float32 [samples] of full scale 1.
            rate: Hertz.
            text: What is said in it.
            speaker: Who says it.
            replaces: One of :attr:`rows` whose place it takes.

        Raises:
            OSError: It cannot be written; what was there stays.
            UserError: The list has become one of another kind.
        """
        text = " ".join(text.split())
        held = io.BytesIO()
        soundfile.write(held, np.clip(audio, -1.0, 1.0), rate, format="WAV", subtype="PCM_16")
        self.path.mkdir(parents=True, exist_ok=True)
        with self._lock, alone(self.path / _LOCK):
            self._rows = _read(self.path)
            kept = Kept(replaces.file_name if replaces else self._free_name(), text, speaker)
            write_bytes(self.path / kept.file_name, held.getvalue())
            rows = [row for row in self._rows if row.file_name != kept.file_name]
            self._write([*rows, kept])
            self._rows = [*rows, kept]
        return kept

    def _free_name(self) -> str:
        taken = {row.file_name for row in self._rows}
        number = len(self._rows) + 1
        while (name := f"{number:04d}.wav") in taken or (self.path / name).exists():
            number += 1
        return name

    def _write(self, rows: list[Kept]) -> None:
        held = io.StringIO()
        writer = csv.writer(held, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows((row.file_name, row.text, row.speaker) for row in rows)
        write_text(self.path / METADATA, held.getvalue())


def _read(path: Path) -> list[Kept]:
    if path.exists() and not path.is_dir():
        raise UserError("This is a file, and not a folder.", where=str(path))
    listing = path / METADATA
    if not listing.exists():
        return []
    try:
        with listing.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = tuple(next(reader, ()))
            rows = [row for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise UserError(f"The list cannot be read: {problem}.", where=str(listing)) from None
    if header != _COLUMNS or any(len(row) != len(_COLUMNS) for row in rows):
        raise UserError(
            "The folder holds a list of another kind, which would be overwritten.",
            where=str(listing),
            fix="name a new folder, or one that mynah record or mynah demo has made",
        )
    return [Kept(*row) for row in rows]
