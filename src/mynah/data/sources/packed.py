"""A packed corpus: what ``mynah data pack`` wrote.

    shards/pack.json, shards/train-000000.tar, shards/train-000000.index, …
    python src/train_hydra.py data.dataset_name=shards

Its rows are those of the corpus that was packed, in their order; nothing is decoded before a
training, and nothing unpacked. The same tars are read by whatever reads WebDataset. What
``data.channels`` and ``data.no_speech_texts`` make of a row is decided when it is packed, since
its length, its digest and the statistics follow from them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from mynah.config.schema import DataConfig
from mynah.data.packed.layout import Pack, is_packed, read_pack
from mynah.data.sources.reading.silence import no_speech_among
from mynah.data.sources.reading.source import Part, Place, Source
from mynah.data.tables.table import Table
from mynah.errors import UserError


class PackedSource(Source):
    """The splits that were packed."""

    format = "packed"

    def __init__(self, root: Path, pack: Pack, no_speech_texts: Sequence[str]) -> None:
        self.name = pack.corpus
        self.channels = pack.channels
        self.identity = str(root)
        self.has_splits = pack.has_splits
        self._root = root
        self._pack = pack
        self._no_speech_texts = no_speech_texts

    @classmethod
    def recognizes(cls, root: Path) -> bool:
        return is_packed(root)

    @classmethod
    def open(cls, config: DataConfig, place: Place) -> PackedSource:
        root = (place.working_directory / Path(config.path or config.dataset_name)).expanduser()
        pack = read_pack(root.resolve())
        if config.channels not in ("mix", pack.channels):
            raise _other_channels(root, pack.channels, config.channels)
        return cls(root.resolve(), pack, config.no_speech_texts)

    def splits(self) -> list[str]:
        return list(self._pack.splits)

    def statement(self) -> dict[str, Any]:
        return dict(self._pack.statement)

    def table(self, part: Part, first_rows: int | None = None) -> Table:
        """
        Raises:
            UserError: A transcript means by ``data.no_speech_texts`` that nobody speaks, and was
                packed as words.
        """
        split = self._pack.splits[part.key]
        table = Table(
            directory=self._root,
            shards=tuple(self._root / shard.index for shard in split.shards),
            about={"rows": split.rows, "statistics": split.statistics.as_json()},
            fingerprint=split.fingerprint,
            folder=self._root,
        )
        if self._no_speech_texts and (found := _packed_as_words(table, self._no_speech_texts)):
            raise UserError(
                f"{len(found):,} of {split.rows:,} transcripts of {split.name}, as {found[0]!r}, "
                "mean that nobody speaks, and were packed as words.",
                where=f"data.no_speech_texts, {self._root}",
                fix="set it when you pack: mynah data pack CORPUS "
                f"'data.no_speech_texts={json.dumps(list(self._no_speech_texts))}' "
                "--to OTHER_FOLDER",
            )
        return table


def _packed_as_words(table: Table, no_speech_texts: Sequence[str]) -> list[str]:
    """Transcripts that stand for no speech; only texts of few words are looked at."""
    most = max(len(text.split()) for text in no_speech_texts)
    found: list[str] = []
    for batch in table.arrow.select(["text", "words"]).to_batches():
        short = batch.column("text").filter(pc.less_equal(batch.column("words"), most))
        found += no_speech_among(short.to_pylist(), no_speech_texts)
    return found


def _other_channels(root: Path, packed: str, asked: str) -> UserError:
    return UserError(
        f"This corpus was packed with data.channels={packed}, not {asked}."
        if packed
        else "These shards do not say how channels were packed: an earlier version of Mynah wrote "
        "them.",
        where=f"data.channels={asked}, {root}",
        fix=f"set it when you pack: mynah data pack CORPUS data.channels={asked} --to OTHER_FOLDER;"
        " or leave it out if each recording has one channel"
        + ("" if packed else f", or was packed with data.channels={asked}"),
    )
