"""A plug-in's corpus: what its code raises names the distribution that it came with."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from mynah.config.schema import DataConfig
from mynah.data.sources.reading.source import Part, Place, Source

if TYPE_CHECKING:
    from mynah.data.tables.table import Table


class ForeignSource(Source):
    """Asks a plug-in's corpus, and blames the plug-in where that fails.

    Args:
        source: The plug-in's.
        blame: Makes the context that its code runs in, as ``Registry.blame`` does.
    """

    def __init__(self, source: Source, blame: Callable[[], AbstractContextManager[None]]) -> None:
        self.format = source.format  # type: ignore[misc]
        self.name = source.name
        self.identity = source.identity
        self.has_splits = source.has_splits
        self.stops_at_error = source.stops_at_error
        self._source = source
        self._blame = blame

    @classmethod
    def open(cls, config: DataConfig, place: Place) -> Source:
        raise NotImplementedError  # it is built from one that is open

    def splits(self) -> list[str]:
        with self._blame():
            return self._source.splits()

    def parts(self, split: str) -> list[Part]:
        with self._blame():
            return self._source.parts(split)

    def table(self, part: Part, first_rows: int | None = None) -> Table:
        with self._blame():
            return self._source.table(part, first_rows)

    def statement(self) -> dict[str, Any]:
        with self._blame():
            return self._source.statement()
