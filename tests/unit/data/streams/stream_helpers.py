"""What the tests of streamed shards share: a stream of a folder, and the samples of a row."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import soundfile
from data_helpers import settings
from huggingface_hub import constants
from shard_files import write_parquet

from mynah.config.schema import DataConfig
from mynah.data.corpus import Corpus
from mynah.data.preparation.prepare import prepare
from mynah.data.row import Row
from mynah.data.streams.reader import BadRow
from mynah.data.streams.rows import usable
from mynah.data.streams.stream import Stream, open_stream
from mynah.data.text import TextPolicy


def config_of(root: Path, **changed) -> DataConfig:
    config = DataConfig(dataset_name=str(root), streaming=True, sample_rate=8000)
    for name, value in changed.items():
        setattr(config, name, value)
    return config


def opened(root: Path, **changed) -> Stream:
    return open_stream(config_of(root, **changed), offline=True, working_directory=root.parent)


def heard(stream: Stream, row: Row) -> np.ndarray:
    return stream.read_audio(usable(row, config_of(Path()), TextPolicy()))


def rows_of(stream: Stream, shard: int = 0) -> list[Row | BadRow]:
    return list(stream.reader.rows(shard))


def prepared(root: Path, tmp_path: Path) -> Corpus:
    """The training split of parquet files; another is evaluated on, so that all rows are in it."""
    write_parquet(root / "validation.parquet", ["other"], ["hhhh"])
    config = settings(tmp_path, path=str(root), sample_rate=8000)
    config.eval_splits = ["validation"]
    return prepare(config, working_directory=tmp_path).train


def samples(content: bytes) -> np.ndarray:
    return soundfile.read(io.BytesIO(content), dtype="float32")[0]


def hub_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: pa.Table, **changed: object
) -> Stream:
    """A table as a dataset of the hub that was downloaded before."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    repository = tmp_path / "hub" / "datasets--some--body"
    data = repository / "snapshots" / "c0ffee" / "data"
    data.mkdir(parents=True)
    pyarrow.parquet.write_table(table, data / "train-00000-of-00001.parquet")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("c0ffee")
    config = settings(
        tmp_path, dataset_name="some/body", streaming=True, sample_rate=8000, **changed
    )
    return open_stream(config, offline=True, working_directory=tmp_path)
