"""What every corpus format gives: its splits, and the rows of one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from mynah.config.schema import DataConfig
from mynah.data.tables import Table


@dataclass(frozen=True)
class Row:
    """One utterance as a source finds it, before its audio is looked at.

    Attributes:
        id: Unique in its split.
        path: The audio file, or None where ``audio`` holds it.
        text: Its transcript, or None where it has none.
        audio: The bytes of an audio file.
        offset_seconds: Where the utterance begins in the file.
        duration_seconds: How long it is; None: to the end of the file.
        channel: Which channel it is on; None: all are mixed.
        speaker: Who speaks, "" where that is not known.
        language: ISO 639-1 code, "" where that is not known.
        source: Where it comes from, for people.
    """

    id: str
    path: str | None
    text: str | None
    audio: bytes | None = None
    offset_seconds: float = 0.0
    duration_seconds: float | None = None
    channel: int | None = None
    speaker: str = ""
    language: str = ""
    source: str = ""


@dataclass(frozen=True)
class Place:
    """Where a source works.

    Attributes:
        working_directory: What relative paths are relative to.
        cache: Where prepared tables are kept.
        processes: How many processes or threads may work.
        offline: Whether the network must not be used.
    """

    working_directory: Path
    cache: Path
    processes: int
    offline: bool


class Source(ABC):
    """One corpus in one format.

    Attributes:
        format: The name that ``data.format`` gives it.
        name: What it is called in reports.
    """

    format: ClassVar[str]
    name: str

    @classmethod
    @abstractmethod
    def open(cls, config: DataConfig, place: Place) -> Source:
        """Look at the corpus, reading no audio.

        Raises:
            UserError: It is not there, or not in this format.
        """

    @abstractmethod
    def splits(self) -> list[str]:
        """The splits it has."""

    @abstractmethod
    def table(self, split: str) -> Table:
        """The prepared table of one of :meth:`splits`."""

    def default_splits(self) -> tuple[Sequence[str], Sequence[str] | None]:
        """Training and evaluation splits where the settings' own names are not there."""
        return ["train"], ["validation"]
