"""What every corpus format gives: its splits, and a prepared table of each."""

from __future__ import annotations

import difflib
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mynah.config.errors import UserError
from mynah.config.schema import DataConfig
from mynah.data.row import Row

if TYPE_CHECKING:
    from mynah.data.tables import Table


@dataclass(frozen=True)
class Place:
    """Where a source works.

    Attributes:
        working_directory: What relative paths are relative to.
        cache: Where prepared tables are kept.
        downloads: Where downloads are kept; None: where the Hugging Face hub keeps them.
        processes: How many processes or threads may work.
        offline: Whether the network must not be used.
    """

    working_directory: Path
    cache: Path
    downloads: Path | None
    processes: int
    offline: bool


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
        has_splits: Whether the corpus itself tells what is for training and what is not.
    """

    format: ClassVar[str]
    name: str
    identity: str
    has_splits: bool = True

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
    def parts(self, split: str) -> list[Part]:
        """What a split's name means: one part, or one for each configuration that has it.

        Raises:
            UserError: There is no such split.
        """

    @abstractmethod
    def table(self, part: Part, first_rows: int | None = None) -> Table:
        """The prepared table of a part; a source may leave out rows after ``first_rows``."""

    def statement(self) -> dict[str, Any]:
        """What is known of how training and evaluation differ: ``text`` for people, counts."""
        return {}

    def unknown_split(self, split: str) -> UnknownSplitError:
        """The error for a split that is not there: it names those that are."""
        return UnknownSplitError(self.name, split, self.splits())


class RowSource(Source):
    """A corpus whose rows are found one by one, each with a file."""

    _processes: int
    _cache: Path

    @abstractmethod
    def rows(self, part: Part) -> Sequence[Row]:
        """The rows of a part, in the corpus's order."""

    def table(self, part: Part, first_rows: int | None = None) -> Table:
        from mynah.data.checking import checked_table

        rows = self.rows(part)
        if not rows:
            raise UserError(
                f"Split {part.name} of {self.name} is empty.", where=self.identity, fix=None
            )
        return checked_table(
            rows,
            name=f"{self.format}-{re.sub('[^A-Za-z0-9.]+', '-', part.name)}",
            description=part.name,
            cache=self._cache,
            processes=self._processes,
        )


# Other names that corpora use for the same split.
_ALIASES = {
    "train": ("train", "training", "tr"),
    "validation": ("validation", "valid", "val", "dev", "development", "eval", "cv"),
    "test": ("test", "testing", "tt", "evaluation"),
}


def usual_split(name: str) -> str | None:
    """The usual name of a split that a corpus calls otherwise, as ``validation`` for ``dev``."""
    for usual, names in _ALIASES.items():
        if name.lower() in names:
            return usual
    return None
