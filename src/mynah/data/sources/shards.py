"""Shards in a folder: parquet, Arrow, WebDataset tars or JSON Lines manifests.

    corpus/train-00000-of-00014.parquet …    corpus/validation-00000-of-00001.parquet
    corpus/train/000000.tar …                corpus/validation/000000.tar
    corpus/train.jsonl                       corpus/validation.jsonl
    corpus/train/audio_0.tar …               of NeMo, with manifests beside the tars
    corpus/train/cuts.000000.jsonl.gz …      Lhotse's Shar

With ``data.streaming=true`` the training splits are read as they come
(:mod:`mynah.data.streams`), and this source prepares the evaluation splits.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mynah.config.schema import DataConfig
from mynah.data.row import Row
from mynah.data.sources.reading.paths import AudioPaths
from mynah.data.sources.reading.source import Place, SplitFilesSource
from mynah.data.streams.files import NOWHERE, FileReader, find_shards, nothing_stored, stored_shards
from mynah.data.streams.reader import BadRow
from mynah.data.streams.shard import Shard
from mynah.errors import UserError
from mynah.storage.address import is_address, masked, name_of
from mynah.storage.store import Store


class ShardsSource(SplitFilesSource):
    """Splits as the folders or the names of the shards tell them."""

    format = "shards"
    _root: Path
    _found: dict[str, list[Shard]]

    @classmethod
    def open(cls, config: DataConfig, place: Place) -> ShardsSource:
        given = config.path or config.dataset_name
        if is_address(given):
            return cls._stored(given, config, place)
        root = place.working_directory / Path(given).expanduser()
        root = root.resolve()
        found = find_shards(root) if root.exists() else {}
        if not found:
            raise UserError(
                f"There are no parquet, Arrow, tar or JSON Lines shards in {root}."
                if root.exists()
                else f"There is no folder {root}.",
                where="data.path" if config.path else "data.dataset_name",
                fix="name the folder that holds them: data.path=FOLDER",
            )
        return cls._of(
            found, root.name, root.parent if root.is_file() else root, str(root), config, place
        )

    @classmethod
    def _stored(cls, address: str, config: DataConfig, place: Place) -> ShardsSource:
        found = stored_shards(Store(address, setting="data.dataset_name"))
        if not found:
            raise nothing_stored(address)
        return cls._of(found, name_of(address), NOWHERE, masked(address), config, place)

    @classmethod
    def _of(
        cls,
        found: dict[str, list[Shard]],
        name: str,
        root: Path,
        identity: str,
        config: DataConfig,
        place: Place,
    ) -> ShardsSource:
        splits = {split: [file.path for file in files] for split, files in found.items()}
        source = cls(config, place, name=name, identity=identity, splits=splits)
        source._root = root
        source._found = found
        return source

    def read(self, split: str, paths: Sequence[Path]) -> list[Row]:
        files = self._found[split]
        absolute = files[0].ending.startswith(".json")  # manifests name absolute paths as a rule
        reader = FileReader(
            self.name,
            files,
            columns=self._config.columns,
            root=self._root,
            find=AudioPaths(self._root, self._config, self._place, absolute=absolute).find,
        )
        return [
            # A row that is none has no transcript: it is counted and listed as such, and why.
            Row(row.id, None, None, audio=b"", fault=row.reason) if isinstance(row, BadRow) else row
            for shard in range(len(reader.shards))
            for row in reader.rows(shard)
        ]
