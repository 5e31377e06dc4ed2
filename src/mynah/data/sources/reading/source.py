"""What every corpus format gives: its splits, and a prepared table of each."""

from __future__ import annotations

import difflib
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mynah.config.schema import DataConfig
from mynah.data.row import Row
from mynah.errors import UserError
from mynah.ranks.spread import Spread

if TYPE_CHECKING:
    from mynah.data.tables.table import Table


@dataclass(frozen=True)
class Place:
    """Where a source works.

    Attributes:
        working_directory: What relative paths are relative to.
        cache: Where prepared tables are kept.
        downloads: Where downloads are kept; None: where the Hugging Face hub keeps them.
        processes: How many processes or threads may work.
        offline: Whether the network must not be used.
        spread: Where recordings are checked; None: here.
        in_mixture: Whether the corpus is one of several, for all of which a setting of ``data``
            is one that ``data.mixture`` does not have.
    """

    working_directory: Path
    cache: Path
    downloads: Path | None
    processes: int
    offline: bool
    spread: Spread | None = None
    in_mixture: bool = False

    @classmethod
    def of(
        cls,
        config: DataConfig,
        working_directory: Path,
        *,
        processes: int = 1,
        offline: bool,
        spread: Spread | None = None,
    ) -> Place:
        """As the settings have it."""
        from mynah.data.tables.table import cache_directory  # with pyarrow: not for settings

        cache = cache_directory(config.dataset_cache_dir, working_directory)
        downloads = cache / "downloads" if config.dataset_cache_dir else None
        return cls(
            working_directory, cache, downloads, processes, offline, spread, bool(config.mixture)
        )


@dataclass(frozen=True)
class Part:
    """A piece of a corpus that is prepared as one table.

    Attributes:
        name: What it is called in reports, as ``"validation.clean"``.
        key: What the source calls it.
    """

    name: str
    key: str


class UnknownSplitError(UserError):
    """A split that a corpus does not have.

    Attributes:
        there: The splits it has, the likeliest first.
    """

    def __init__(self, corpus: str, split: str, there: Sequence[str]) -> None:
        super().__init__(
            f"{corpus} has no split {split!r}. It has: {', '.join(there) or 'none'}.",
            where="data.train_splits, data.eval_splits",
        )
        near = difflib.get_close_matches(split, there, n=1, cutoff=0.5)
        self.there = [*near, *(name for name in there if name not in near)]


class Source(ABC):
    """One corpus in one format.

    Attributes:
        format: The name that ``data.format`` gives it.
        name: What it is called in reports.
        identity: What tells this corpus from another on this machine.
        is_corpus: Whether ``data.dataset_name`` may be the format's name: there is one corpus, or
            one layout, that is called so.
        needs_folder: Whether it then has to be said where that lies.
        elsewhere: Another way to the corpus of this name, as it is offered where it is not found.
        Options: A dataclass of settings of its own, ``data.options``; None: it has none.
        has_splits: Whether the corpus itself tells what is for training and what is not.
        stops_at_error: Whether :meth:`table` ends at the first recording that cannot be read.
    """

    format: ClassVar[str]
    is_corpus: ClassVar[bool] = False
    needs_folder: ClassVar[bool] = True
    elsewhere: ClassVar[str] = ""
    Options: ClassVar[type | None] = None
    name: str
    identity: str
    has_splits: bool = True
    stops_at_error: bool = False

    @classmethod
    def recognizes(cls, root: Path) -> bool:
        """Whether what lies at a path is in this format, by the names of its files.

        Args:
            root: A folder, or a file that lists a corpus; it is there.
        """
        return False

    @classmethod
    def means(cls, config: DataConfig) -> bool:
        """Whether ``data`` names a corpus of this format that is not at any path here."""
        return False

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

    def parts(self, split: str) -> list[Part]:
        """What a split's name means: one part, or one for each configuration that has it.

        Raises:
            UserError: There is no such split.
        """
        names = meant_splits(split, self.splits())
        if not names:
            raise self.unknown_split(split)
        return [Part(split if len(names) == 1 else name, name) for name in names]

    @abstractmethod
    def table(self, part: Part, first_rows: int | None = None) -> Table:
        """The prepared table of a part; a source may leave out rows after ``first_rows``."""

    def is_here(self, part: Part) -> bool:
        """Whether a part can be had now: on this machine, or over the network where it may be."""
        return True

    def statement(self) -> dict[str, Any]:
        """What is known of how training and evaluation differ: ``text`` for people, counts."""
        return {}

    def unknown_split(self, split: str) -> UnknownSplitError:
        """The error for a split that is not there: it names those that are."""
        return UnknownSplitError(self.name, split, self.splits())


class RowSource(Source):
    """A corpus whose rows are found one by one, each with a file.

    Args:
        config: The settings of ``data``.
        place: Where it works.
        name: What it is called in reports.
        identity: What tells this corpus from another on this machine.
    """

    def __init__(self, config: DataConfig, place: Place, *, name: str, identity: str) -> None:
        self.name = name
        self.identity = identity
        self._config = config
        self._place = place

    @abstractmethod
    def rows(self, part: Part) -> Sequence[Row]:
        """The rows of a part, in the corpus's order.

        Raises:
            UserError: Its listing cannot be understood; file and line are named.
        """

    def wanted_rows(self, part: Part) -> list[Row]:
        """The rows of a part under ``data.channels`` and ``data.no_speech_texts``.

        Raises:
            UserError: As :meth:`rows`; or there are none; or a transcript covers channels that
                are to be split.
        """
        from mynah.data.sources.reading.channels import apply_channels
        from mynah.data.sources.reading.silence import mark_no_speech

        rows = mark_no_speech(self.rows(part), self._config.no_speech_texts)
        if not rows:
            raise UserError(
                f"Split {part.name} of {self.name} is empty.", where=self.identity, fix=None
            )
        return apply_channels(rows, self._config.channels, self._place.processes)

    def table(self, part: Part, first_rows: int | None = None) -> Table:
        from mynah.data.preparation.checking import checked_table

        rows = self.wanted_rows(part)
        return checked_table(
            rows if first_rows is None else rows[:first_rows],
            name=f"{self.format}-{re.sub('[^A-Za-z0-9.]+', '-', part.name)}",
            description=part.name,
            cache=self._place.cache,
            processes=self._place.processes,
            stop_at_error=self.stops_at_error,
            spread=self._place.spread,
        )


class SplitFilesSource(RowSource):
    """A corpus that has a file or a folder for each split.

    Args:
        splits: Its splits, and what :meth:`read` is given for each.
    """

    def __init__(
        self,
        config: DataConfig,
        place: Place,
        *,
        name: str,
        identity: str,
        splits: Mapping[str, Sequence[Path]],
    ) -> None:
        super().__init__(config, place, name=name, identity=identity)
        self._splits = splits
        self.has_splits = set(splits) != {ONLY_SPLIT}

    @abstractmethod
    def read(self, split: str, paths: Sequence[Path]) -> list[Row]:
        """The rows of a split.

        Raises:
            UserError: A listing cannot be understood; file and line are named.
        """

    def splits(self) -> list[str]:
        return list(self._splits)

    def rows(self, part: Part) -> list[Row]:
        return self.read(part.key, self._splits[part.key])


ONLY_SPLIT = "train"  # the split of a corpus that has none

# Other names that corpora use for the same split.
_ALIASES = {
    "train": ("train", "training", "tr"),
    "validation": ("validation", "valid", "val", "dev", "development", "eval", "cv"),
    "test": ("test", "testing", "tt", "evaluation"),
}


def meant_splits(asked: str, there: Sequence[str]) -> list[str]:
    """The splits that a name means: the one of that name, or of the same meaning, as ``dev``
    for ``validation``, or those that begin with it, as ``train-clean-100`` with ``train``; of
    any other name, those that differ in case alone."""
    if asked in there:
        return [asked]
    usual = usual_split(asked)
    if usual is None:
        return [name for name in there if name.casefold() == asked.casefold()]
    same = [name for name in there if usual_split(name) == usual]
    return same or [name for name in there if usual_split(re.split(r"[-_.]", name)[0]) == usual]


def usual_split(name: str) -> str | None:
    """The usual name of a split that a corpus calls otherwise, as ``validation`` for ``dev``."""
    for usual, names in _ALIASES.items():
        if name.lower() in names:
            return usual
    return None


def joined_split(cell: str, seen: dict[str, str]) -> str:
    """The split that a cell of a listing names, as it is written where it first comes: people
    write ``train``, ``Train`` and ``train `` in one column.

    Args:
        cell: What the listing says.
        seen: The splits so far by their name without case; a new one is added.
    """
    name = cell.strip()
    return seen.setdefault(name.casefold(), name)
