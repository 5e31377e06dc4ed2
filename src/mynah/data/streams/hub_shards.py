"""A dataset of the Hugging Face hub that is read as it comes, and never downloaded in full."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from mynah.config.schema import DataConfig
from mynah.console import notice
from mynah.data.row import Row
from mynah.data.sources.reading.source import Place
from mynah.data.streams.arrow_shards import class_names, held_audio
from mynah.data.streams.reader import BadRow, ShardReader, listed_row, stream_columns
from mynah.errors import UserError


class HubReader(ShardReader):
    """The shards of some splits, as ``datasets.load_dataset(…, streaming=True)`` gives them.

    Where the network is not to be used, the snapshot in the hub's cache is read the same way.

    Args:
        config: The settings of ``data``.
        place: Where downloads are kept, and whether the network may be used.
        splits: Names of splits; with several configurations each is taken from those that
            have it, and ``train.clean`` means one of them.

    Raises:
        UserError: The dataset is not to be had, or has no such split or column.
    """

    def __init__(self, config: DataConfig, place: Place, splits: Sequence[str]) -> None:
        self.name = config.dataset_name
        self._columns = config.columns
        location, revision = _location(config, place)
        self._parts: list[tuple[Any, int]] = []  # (dataset of one split, shard of it)
        shards = []
        for split in splits:
            for label, part in _datasets(config, place, location, revision, split):
                count = part.num_shards
                self._parts += [(part, number) for number in range(count)]
                shards += [f"{label}, shard {number + 1} of {count}" for number in range(count)]
        self.shards = tuple(shards)
        about = f"{self.name}@{revision} {list(splits)} {len(shards)}"
        self.identity = hashlib.blake2b(about.encode(), digest_size=16).hexdigest()

    def read(self, shard: int, start: int, *, audio: bool) -> Iterator[Row | BadRow]:
        dataset, place = self._parts[shard]
        features = dataset.features or {}
        there = list(features) or list(next(iter(dataset)))
        typed = [name for name, kind in features.items() if type(kind).__name__ == "Audio"]
        audio_column = typed[0] if len(typed) == 1 else None
        names = stream_columns(there, self._columns, self.name, audio=audio_column, clips=there)
        classes = class_names(features)
        wanted = [name for ours, name in names.items() if audio or ours != "audio"]
        rows = dataset.select_columns(wanted).shard(dataset.num_shards, place)
        if start:
            rows = rows.skip(start)
        for number, listed in enumerate(rows, start):
            # A path without bytes is another machine's: the row is then unreadable, and named.
            _, content = held_audio(listed.get(names["audio"]))
            yield listed_row(
                listed,
                names,
                fallback_id=f"{shard:05d}-{number:07d}",
                source=self.name,
                where=f"{self.name}, {self.shards[shard]}, row {number}",
                path=None,
                content=content,
                classes=classes,
            )


def _location(config: DataConfig, place: Place) -> tuple[str, str | None]:
    """What is given to ``load_dataset``: the name and commit, or a folder of this machine."""
    from mynah.data.sources.hub import HubSource

    # It finds the commit, falls back to what was downloaded, and tells what is wrong.
    source = HubSource.open(config, place)
    snapshot = source.snapshot
    if snapshot is None:
        return config.dataset_name, source.revision
    notice(f"{config.dataset_name} is read as it was downloaded before: {snapshot}")
    return str(snapshot), None


def _datasets(
    config: DataConfig, place: Place, location: str, revision: str | None, split: str
) -> Iterator[tuple[str, Any]]:
    """(name, IterableDataset) of a split in each configuration that has it."""
    import datasets

    configurations: list[str | None] = [*(config.dataset_configs or [None])]  # type: ignore[list-item]
    found = False
    problems: list[str] = []
    for configuration in configurations:
        asked = [split]
        if configuration is not None and split.endswith(f".{configuration}"):
            asked.append(split.removesuffix(f".{configuration}"))
        for name in asked:
            try:
                opened = datasets.load_dataset(
                    location,
                    configuration,
                    split=name,
                    revision=revision,
                    streaming=True,
                    cache_dir=str(place.downloads) if place.downloads else None,
                )
            except ValueError as problem:  # no such split or configuration
                problems.append(" ".join(str(problem).split())[:200])
                continue
            found = True
            for column, kind in (opened.features or {}).items():
                if isinstance(kind, datasets.Audio):
                    opened = opened.cast_column(column, datasets.Audio(decode=False))
            yield f"{configuration}/{name}" if configuration else name, opened
            break
    if not found:
        raise UserError(
            f"{config.dataset_name} has no split {split!r}: {problems[-1] if problems else ''}",
            where="data.train_splits",
        )
