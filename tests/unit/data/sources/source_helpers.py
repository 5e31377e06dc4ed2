"""Opening a corpus as the tests of its format do."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from data_helpers import settings

from mynah.data.row import Row
from mynah.data.sources import open_source
from mynah.data.sources.reading.source import Place, Source


def opened(tmp_path: Path, name: Path | str, **changed: object) -> Source:
    """The corpus at a path, in the format that is found by looking unless one is given."""
    config = settings(tmp_path, dataset_name=str(name), **changed)
    return open_source(config, Place(tmp_path, tmp_path / "cache", None, 1, offline=True))


def rows_of(source: Source, split: str = "train") -> list[Row]:
    """The rows of a split as preparation gets them."""
    return [row for part in source.parts(split) for row in source.wanted_rows(part)]


def write_lines(path: Path, *lines: str) -> Path:
    """A text file of lines; gzipped where its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def write_json_lines(path: Path, *rows: dict) -> Path:
    """A JSONL file; gzipped where its name says so."""
    return write_lines(path, *(json.dumps(row) for row in rows))
