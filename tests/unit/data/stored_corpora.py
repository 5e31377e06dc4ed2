"""Corpora whose tables are written straight to disk: no sound is needed for what they test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mynah.data.corpus import Corpus
from mynah.data.tables import table as tables


def stored_table(directory: Path, rows: list[dict[str, Any]], shards: int = 1) -> tables.Table:
    """A prepared table of rows; what a row leaves out is as good as any."""
    full = [
        {
            "id": f"u{number}",
            "audio": {"path": f"u{number}.wav", "bytes": None},
            "offset_seconds": 0.0,
            "duration_seconds": 1.0,
            "text": f"sentence {number}",
            "speaker": "",
            "language": "",
            "source": "stored",
            "digest": f"{number + 1:016x}",
        }
        | row
        for number, row in enumerate(rows)
    ]

    def make(staging: Path, missing: list[int]) -> None:
        for number in missing:
            tables.write_shard(tables.shard(staging, number), full[number::shards])

    return tables.open_or_make(directory, shards, make, dict)


def stored_corpus(directory: Path, rows: list[dict[str, Any]], shards: int = 1) -> Corpus:
    """All rows of such a table."""
    table = stored_table(directory, rows, shards)
    return Corpus.of_table(table, name="stored", sample_rate=16000)
