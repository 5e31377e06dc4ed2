"""What the tests of streamed shards share: a stream of a folder, and the samples of a row."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mynah.config.schema import DataConfig
from mynah.data.row import Row
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
