"""Recordings for the page of a comparison: those of the runs' own reports, and of a folder."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mynah.data.audio.files import AUDIO_SUFFIXES
from mynah.errors import UserError
from mynah.evaluation.comparing.system import System

_LARGEST_REPORT = 64 << 20  # bytes; one of Mynah's has 24 MB of recordings at most
# A player as ``mynah.pages.clips`` writes it. What is taken from it is the sound alone.
_PLAYER = re.compile(
    r'<audio [^>]*?src="(data:audio/(?:mpeg|wav);base64,[A-Za-z0-9+/=]+)"'
    r'[^>]*?aria-label="Recording of ([^"]*)"'
)


@dataclass(frozen=True)
class Recordings:
    """Where the recordings of utterances are, by id.

    Attributes:
        addresses: ``data:`` addresses.
        files: Files of a folder that the user named.
    """

    addresses: dict[str, str] = field(default_factory=dict, repr=False)
    files: dict[str, Path] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.addresses.keys() | self.files.keys())

    def __contains__(self, name: str) -> bool:
        return name in self.files or name in self.addresses


def find_recordings(systems: Sequence[System], folder: Path | None) -> Recordings:
    """The recordings of utterances.

    A run's report holds those of its worst utterances. A folder's files are matched by their name,
    with or without its ending, or by their path below the folder.

    Args:
        systems: Of the same utterances.
        folder: Where recordings lie; None: not named.

    Raises:
        UserError: There is no such folder, or none of its files is one of an utterance.
    """
    ids = [one.id for one in systems[0].hypotheses]
    found = Recordings()
    for system in systems:
        if system.report is not None:
            found.addresses.update(_of_report(system.report))
    if folder is not None:
        found.files.update(_of_folder(folder, ids))
    return found


def _of_report(report: Path) -> dict[str, str]:
    try:
        if report.stat().st_size > _LARGEST_REPORT:
            return {}
        page = report.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    return {html.unescape(name): address for address, name in _PLAYER.findall(page)}


def _of_folder(folder: Path, ids: Iterable[str]) -> dict[str, Path]:
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.", where=f"--audio {folder}")
    by_name: dict[str, Path] = {}
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() in AUDIO_SUFFIXES and file.is_file():
            relative = file.relative_to(folder)
            for name in (relative.as_posix(), str(relative.with_suffix("")), file.name, file.stem):
                by_name.setdefault(name, file)
    found = {}
    for one in ids:
        there = by_name.get(one) or by_name.get(one.rsplit("/", 1)[-1])
        if there is not None:
            found[one] = there
    if not found:
        raise UserError(
            f"No recording in {folder} has the name of an utterance.",
            where=f"--audio {folder}",
            fix="name the folder of the recordings, whose names are the utterances' ids",
        )
    return found
