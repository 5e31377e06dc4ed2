"""A packed corpus: what ``mynah data pack`` wrote.

    shards/pack.json, shards/train-000000.tar, shards/train-000000.index, …
    python src/train_hydra.py data.dataset_name=shards

Its rows are those of the corpus that was packed, in their order; nothing is decoded before a
training, and nothing unpacked. The same tars are read by whatever reads WebDataset.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mynah.config.schema import DataConfig
from mynah.data.packed.layout import Pack, is_packed, read_pack
from mynah.data.sources.reading.source import Part, Place, Source
from mynah.data.tables.table import Table


class PackedSource(Source):
    """The splits that were packed."""

    format = "packed"

    def __init__(self, root: Path, pack: Pack) -> None:
        self.name = pack.corpus
        self.identity = str(root)
        self.has_splits = pack.has_splits
        self._root = root
        self._pack = pack

    @classmethod
    def recognizes(cls, root: Path) -> bool:
        return is_packed(root)

    @classmethod
    def open(cls, config: DataConfig, place: Place) -> PackedSource:
        root = (place.working_directory / Path(config.path or config.dataset_name)).expanduser()
        return cls(root.resolve(), read_pack(root.resolve()))

    def splits(self) -> list[str]:
        return list(self._pack.splits)

    def statement(self) -> dict[str, Any]:
        return dict(self._pack.statement)

    def table(self, part: Part, first_rows: int | None = None) -> Table:
        split = self._pack.splits[part.key]
        return Table(
            directory=self._root,
            shards=tuple(self._root / shard.index for shard in split.shards),
            about={"rows": split.rows, "statistics": split.statistics.as_json()},
            fingerprint=split.fingerprint,
            folder=self._root,
        )
