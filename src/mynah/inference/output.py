"""Where transcripts go: a folder with a file for each recording, or standard output."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mynah.errors import UserError
from mynah.files import write_text
from mynah.inference.formats import TRANSCRIPT_FORMATS
from mynah.inference.formats.format import Format
from mynah.inference.formats.json import as_json
from mynah.inference.sources import RecordingSource
from mynah.inference.transcription import Transcription

JOURNAL = ".transcripts.jsonl"


class Output(Protocol):
    """Takes the transcripts of recordings."""

    def is_done(self, source: RecordingSource) -> bool:
        """Whether a recording was transcribed before, in the same way."""

    def add(self, source: RecordingSource, transcription: Transcription) -> None:
        """Write the transcript of a recording."""


@dataclass(frozen=True)
class Screen:
    """Standard output: of one recording the format's content, of several a line each.

    Attributes:
        format: What is written.
        several: Whether there are several recordings.
    """

    format: Format
    several: bool

    def check(self) -> None:
        """Raise where several recordings cannot be told apart.

        Raises:
            UserError: The format has no line for each.
        """
        if self.several and self.format.name not in ("txt", "json"):
            raise UserError(
                f"Transcripts of several recordings as {self.format.name} are files, one each.",
                where=f"--format {self.format.name}",
                fix=f"--format {self.format.name} --to transcripts",
            )

    def is_done(self, source: RecordingSource) -> bool:
        return False

    def add(self, source: RecordingSource, transcription: Transcription) -> None:
        name = source.label if self.several else source.name
        if not self.several:
            content = self.format.write(transcription, name)
        elif self.format.name == "json":
            content = json.dumps(as_json(transcription, name), ensure_ascii=False) + "\n"
        else:
            content = f"{name}\t{self.format.write(transcription, name)}"
        # Bytes of a name that are not UTF-8 become escapes, which JSON reads as what they were.
        sys.stdout.write(content.encode("utf-8", "backslashreplace").decode())
        sys.stdout.flush()


class File:
    """One file for one recording.

    Raises:
        UserError: It is there already, or cannot be written.
    """

    def __init__(self, path: Path, format: Format, *, overwrite: bool) -> None:
        if path.exists() and not overwrite:
            raise _would_be_overwritten(path)
        _make_writable(path.parent, path)
        self._path = path
        self._format = format

    def is_done(self, source: RecordingSource) -> bool:
        return False

    def add(self, source: RecordingSource, transcription: Transcription) -> None:
        write_text(self._path, self._format.write(transcription, source.name))


class Folder:
    """A folder with the transcripts of each recording, and a journal of what was done.

    What is begun is noted, and what is complete, so that a command that is killed and typed again
    continues where it was.

    Args:
        path: The folder.
        formats: What is written of each recording.
        settings: What transcripts depend on: others are decoded again.
        overwrite: Whether files that are not of this journal may be replaced.
    """

    def __init__(
        self,
        path: Path,
        formats: Sequence[Format],
        settings: Mapping[str, object],
        *,
        overwrite: bool,
    ) -> None:
        self._path = path
        self._formats = formats
        self._settings = json.dumps(settings, sort_keys=True)
        self._overwrite = overwrite
        self._line_end = ""  # of a line that a kill cut
        self._written: dict[str, set[str]] = {}  # suffixes of the files that are ours, by names
        self._of: dict[str, str] = {}  # the recording that they are of, without its ending
        self._noted = self._read()

    def check(self, sources: Sequence[RecordingSource]) -> None:
        """Make the folder, and raise before anything is decoded where it cannot be written.

        Raises:
            UserError: It cannot be, or holds files of others under names that are needed.
        """
        _make_writable(self._path, self._path)
        for source in () if self._overwrite else sources:
            other = self._other_recording(source)
            for path in self._files(source):
                is_ours = path.suffix in self._written.get(source.name, ())
                if path.exists() and (other or not is_ours):
                    raise _would_be_overwritten(path, other)

    def _other_recording(self, source: RecordingSource) -> str:
        """Another recording of the same name, as of another folder, that the journal has a
        transcript of; "" where there is none, or it is not known."""
        noted = self._of.get(source.name, "")
        if source.path is None or not noted:
            return ""
        mine = _without_ending(source.path)
        return "" if mine == noted or _is_same(mine, noted) else noted

    def is_done(self, source: RecordingSource) -> bool:
        noted = self._noted.get(source.name)
        return (
            source.path is not None
            and noted == self._key(source)
            and all(path.is_file() for path in self._files(source))
        )

    def add(self, source: RecordingSource, transcription: Transcription) -> None:
        self._note(source, "")
        for format, path in zip(self._formats, self._files(source), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, format.write(transcription, source.name))
        if source.path is not None:
            self._note(source, self._key(source))

    def _note(self, source: RecordingSource, key: str) -> None:
        """Add a line to the journal; the key is "" of what is begun."""
        suffixes = [one.suffix for one in self._formats]
        # A name may be no UTF-8.
        noted: dict[str, object] = {"name": source.name, "key": key, "suffixes": suffixes}
        if source.path is not None:
            noted["of"] = _without_ending(source.path)
        line = json.dumps(noted)
        with (self._path / JOURNAL).open("a", encoding="utf-8") as journal:
            journal.write(f"{self._line_end}{line}\n")
            journal.flush()
            os.fsync(journal.fileno())
        self._line_end = ""

    def _files(self, source: RecordingSource) -> list[Path]:
        return [self._path / f"{source.name}{one.suffix}" for one in self._formats]

    def _key(self, source: RecordingSource) -> str:
        """What a transcript depends on: the recording as it is, and the settings."""
        assert source.path is not None
        status = source.path.stat()
        of = [str(source.path.resolve()), status.st_size, status.st_mtime_ns, self._settings]
        return hashlib.blake2b(json.dumps(of).encode(), digest_size=16).hexdigest()

    def _read(self) -> dict[str, str]:
        """Names with their keys; a last line that a kill cut is not an entry."""
        found = {}
        every = [one.suffix for one in TRANSCRIPT_FORMATS.values()]  # of a line without suffixes
        try:
            text = (self._path / JOURNAL).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return {}
        self._line_end = "" if text.endswith("\n") or not text else "\n"
        for line in text.splitlines():
            try:
                entry = json.loads(line)
                name, key = str(entry["name"]), str(entry["key"])
                suffixes = entry.get("suffixes", every)
                of = str(entry.get("of", ""))  # "" of a line of before, and of standard input
                before = self._of.get(name, "")
                if of and before and of != before and not _is_same(of, before):
                    self._written.pop(name, None)  # files of other formats are another's
                self._written.setdefault(name, set()).update(map(str, suffixes))
                found[name], self._of[name] = key, of
            except (ValueError, KeyError, TypeError):
                continue
        return found


def _make_writable(folder: Path, asked: Path) -> None:
    """Make a folder, before anything is decoded that could not be written to it.

    Raises:
        UserError: It cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise UserError(
            f"The folder cannot be made: {problem.strerror}.",
            where=f"--to {asked}",
            fix="name a folder that can be made or is there: --to transcripts",
        ) from None
    if not os.access(folder, os.W_OK):
        raise UserError("The folder cannot be written to.", where=f"--to {asked}")


def _without_ending(path: Path) -> str:
    """A recording's full path, the same for its sound in another format."""
    return str(path.absolute().with_suffix(""))


def _is_same(path: str, other: str) -> bool:
    """Whether two paths are one, by whatever links they lead."""
    return os.path.realpath(path) == os.path.realpath(other)


def _would_be_overwritten(path: Path, other: str = "") -> UserError:
    """The error for a file that is there.

    Args:
        path: The file.
        other: The recording that it is the transcript of, where it is another one; or "".
    """
    return UserError(
        f"The transcript of another recording, {other}, is there; it would be overwritten."
        if other
        else "A file is there already; it would be overwritten.",
        where=str(path),
        fix="--overwrite  replaces it; or name another place with --to",
    )


def format_of_ending(path: Path) -> Format | None:
    """The format that a file's ending names; None: it names none."""
    found = [
        one for one in TRANSCRIPT_FORMATS.values() if one.suffix.lower() == path.suffix.lower()
    ]
    return found[0] if found else None
