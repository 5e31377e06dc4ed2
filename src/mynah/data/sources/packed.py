"""A packed corpus: what ``mynah data pack`` wrote.

    shards/pack.json, shards/train-000000.tar, shards/train-000000.index, …
    python src/train_hydra.py data.dataset_name=shards

Its rows are those of the corpus that was packed, in their order; nothing is decoded before a
training, and nothing unpacked. The same tars are read by whatever reads WebDataset. What
``data.channels`` and ``data.no_speech_texts`` make of a row is decided when it is packed, since
its length, its digest and the statistics follow from them. A corpus that was packed otherwise is
refused; in a mixture, whose other members the settings may mean, a notice says so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from mynah.config.schema import DataConfig
from mynah.console import notice
from mynah.data.packed.layout import Pack, is_packed, read_pack
from mynah.data.sources.reading.silence import no_speech_among
from mynah.data.sources.reading.source import Part, Place, Source
from mynah.data.tables.table import Table
from mynah.errors import UserError


class PackedSource(Source):
    """The splits that were packed."""

    format = "packed"

    def __init__(
        self, root: Path, pack: Pack, no_speech_texts: Sequence[str], *, in_mixture: bool
    ) -> None:
        self.name = pack.corpus
        self.channels = pack.channels
        self.identity = str(root)
        self.has_splits = pack.has_splits
        self._root = root
        self._pack = pack
        self._no_speech_texts = no_speech_texts
        self._in_mixture = in_mixture

    @classmethod
    def recognizes(cls, root: Path) -> bool:
        return is_packed(root)

    @classmethod
    def open(cls, config: DataConfig, place: Place) -> PackedSource:
        root = (place.working_directory / Path(config.path or config.dataset_name)).expanduser()
        pack = read_pack(root.resolve())
        if config.channels not in ("mix", pack.channels):
            problem = _other_channels(root, pack.channels, config.channels)
            if pack.channels and not place.in_mixture:
                raise problem
            notice(f"{problem.what} It is read as it was packed ({problem.where}).")
        return cls(root.resolve(), pack, config.no_speech_texts, in_mixture=place.in_mixture)

    def splits(self) -> list[str]:
        return list(self._pack.splits)

    def statement(self) -> dict[str, Any]:
        return dict(self._pack.statement)

    def table(self, part: Part, first_rows: int | None = None) -> Table:
        """
        Raises:
            UserError: A transcript means by ``data.no_speech_texts`` that nobody speaks, and was
                packed as words; in a mixture a notice says so.
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
            problem = UserError(
                f"{len(found):,} of {split.rows:,} transcripts of {split.name}, as {found[0]!r}, "
                "mean that nobody speaks, and were packed as words.",
                where=f"data.no_speech_texts, {self._root}",
                fix="data.no_speech_texts=[] reads them as packed, as before; or set it when you "
                "pack: mynah data pack CORPUS "
                f"'data.no_speech_texts={json.dumps(list(self._no_speech_texts))}' "
                "--to OTHER_FOLDER",
            )
            if not self._in_mixture:
                raise problem
            notice(f"{problem.what} They are read as packed ({problem.where}).")
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
        else "This corpus does not say how channels were packed: an earlier version of Mynah "
        "packed it.",
        where=f"data.channels={asked}, {root}",
        fix="data.channels=mix reads it as packed, as before; or set it when you pack: "
        f"mynah data pack CORPUS data.channels={asked} --to OTHER_FOLDER",
    )
