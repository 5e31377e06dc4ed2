"""The recordings that a command names: files, folders of them, or standard input."""

from __future__ import annotations

import difflib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mynah.data.audio.files import AUDIO_SUFFIXES, recordings_below
from mynah.errors import UserError

STANDARD_INPUT = "-"


@dataclass(frozen=True)
class RecordingSource:
    """A recording.

    Attributes:
        name: Its path below the folder that was named, without the ending: unique.
        path: The file; None: it comes by standard input.
    """

    name: str
    path: Path | None

    @property
    def label(self) -> str:
        """What it is called in messages."""
        return "standard input" if self.path is None else str(self.path)

    def content(self) -> Path | bytes:
        """What a recognizer takes; standard input is read to its end."""
        return sys.stdin.buffer.read() if self.path is None else self.path


def find_sources(named: Sequence[str], *, leave_out: Path | None = None) -> list[RecordingSource]:
    """The recordings that were named, those of a folder in the order of their paths.

    Args:
        named: Files, folders, or ``-``.
        leave_out: A folder not to look into, where it lies below one that was named.

    Raises:
        UserError: One is not there, is not a file, or a folder holds no recording.
    """
    found: list[tuple[Path, Path | None]] = []
    for text in named:
        if text == STANDARD_INPUT:
            found.append((Path("stdin"), None))
            continue
        path = Path(text).expanduser()
        if path.is_dir():
            found += [(one.relative_to(path), one) for one in _recordings(path, leave_out)]
        elif path.is_file():
            found.append((Path(path.name), path))
        elif path.exists():
            raise UserError(
                f"{text} is a pipe or a device, and not a file.",
                where=f"mynah transcribe {text}",
                fix=f"cat {text} | mynah transcribe -",
            )
        else:
            raise _missing(text, path)
    return list(_named(found))


def _recordings(folder: Path, leave_out: Path | None) -> list[Path]:
    # A folder that was named is looked into, though transcripts go to it or to one that it is in.
    is_below = leave_out is not None and folder.resolve() in leave_out.resolve().parents
    files = recordings_below(folder, leave_out if is_below else None)
    if not files and is_below and recordings_below(folder):
        raise UserError(
            "All recordings of this folder lie in --to, which is not looked into.",
            where=str(folder),
            fix=f"mynah transcribe {leave_out}",
        )
    if not files:
        raise UserError(
            "There are no recordings in this folder.",
            where=str(folder),
            fix=f"It takes files that end in {', '.join(sorted(AUDIO_SUFFIXES))}; name a file of "
            "another ending by itself",
        )
    return files


def _missing(text: str, path: Path) -> UserError:
    beside = sorted(one.name for one in path.parent.glob("*") if not one.name.startswith("."))
    near = difflib.get_close_matches(path.name, beside, n=1)
    return UserError(
        f"There is no file or folder {text}.",
        where=f"mynah transcribe {text}",
        fix=f"mynah transcribe {path.parent / near[0]}"
        if near
        else "name a recording that is there",
    )


def _named(found: Sequence[tuple[Path, Path | None]]) -> Iterator[RecordingSource]:
    """Names without endings, with them where two would be the same, numbered where still so."""
    stems = Counter(short.with_suffix("").as_posix() for short, _ in found)
    taken: Counter[str] = Counter()
    for short, path in found:
        stem = short.with_suffix("").as_posix()
        name = stem if stems[stem] == 1 else short.as_posix()
        taken[name] += 1
        yield RecordingSource(name if taken[name] == 1 else f"{name}-{taken[name]}", path)
