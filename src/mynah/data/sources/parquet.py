"""Parquet files that hold their recordings, as the hub keeps datasets and as one is downloaded.

    mine/data/train-00000-of-00002.parquet    columns: audio {bytes, path}, text, speaker
    mine/train.parquet, mine/test.parquet
    python src/train_hydra.py data.path=mine data.eval_splits=[test]

Recordings stay in a memory-mapped copy of the files and are never all in memory. A listing that
names the files of its recordings is a folder's (``data.format=folder``).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mynah.config.schema import DataConfig
from mynah.console import notice
from mynah.data.sources.hub import ONLY_CONFIG, layout_of
from mynah.data.sources.reading.metadata import HEADERS, holds_audio
from mynah.data.sources.reading.paths import AudioPaths
from mynah.data.sources.reading.source import (
    ONLY_SPLIT,
    Part,
    Place,
    Source,
    joined_split,
    usual_split,
)
from mynah.data.sources.reading.tabular import load_parquet, prepared
from mynah.errors import UserError

if TYPE_CHECKING:
    import datasets

    from mynah.data.tables.table import Table

_PLAIN_NAMES = ("metadata", "manifest", "data")  # of a file that is not a split


class ParquetSource(Source):
    """Splits after the files' names, or after a column ``split`` in the only one."""

    format = "parquet"

    def __init__(self, config: DataConfig, place: Place, root: Path) -> None:
        self.name = root.name
        self.identity = str(root)
        self._config = config
        self._place = place
        self._root = root if root.is_dir() else root.parent
        self._files = _files(root, config)
        self._column = _split_column(self._files, config)
        self._split_names = list(self._files)
        if self._column is not None:
            (paths,) = self._files.values()
            alone = len(paths) == 1
            default = paths[0].stem if alone and usual_split(paths[0].stem) else ONLY_SPLIT
            where = str(paths[0] if alone else self._root)
            self._rows = _rows_by_split(self._loaded(paths), self._column, default, where)
            self._split_names = list(self._rows)
        self.has_splits = set(self._split_names) != {ONLY_SPLIT}

    @classmethod
    def recognizes(cls, root: Path) -> bool:
        return is_parquet(root)

    @classmethod
    def open(cls, config: DataConfig, place: Place) -> ParquetSource:
        root = (place.working_directory / Path(config.path or config.dataset_name)).expanduser()
        return cls(config, place, root.resolve())

    def splits(self) -> list[str]:
        return self._split_names

    def table(self, part: Part, first_rows: int | None = None) -> Table:
        if self._column is None:
            paths = self._files[part.key]
            dataset = self._loaded(paths)
        else:
            (paths,) = self._files.values()
            dataset = self._loaded(paths).select(self._rows[part.key]).flatten_indices()
        finder = AudioPaths(self._root, self._config, self._place)
        stamps = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
        return prepared(
            dataset,
            config=self._config,
            place=self._place,
            part=part,
            format=self.format,
            corpus=self.name,
            identity=f"{self.identity} {part.key} {stamps}",
            find_audio=lambda name: Path(finder.find(name, str(self._root))),
        )

    def _loaded(self, paths: list[Path]) -> datasets.Dataset:
        return load_parquet(paths, self._place.cache)


def _rows_by_split(
    dataset: datasets.Dataset, column: str, default: str, where: str
) -> dict[str, np.ndarray]:
    """The places of the rows of each split, in the dataset's order; splits sorted by name.

    Args:
        dataset: With all rows.
        column: The one that tells the split.
        default: The split of rows that tell none; a notice counts them.
        where: The file, for the notice.
    """
    encoded = dataset.data.table.column(column).dictionary_encode().combine_chunks()
    names = ["" if cell is None else str(cell) for cell in encoded.dictionary.to_pylist()]
    seen: dict[str, str] = {}
    tells = np.asarray([bool(name.strip()) for name in names] + [False])
    of_code = np.asarray([joined_split(name if name.strip() else default, seen) for name in names])
    of_code = np.append(of_code, joined_split(default, seen))  # of rows that hold null
    codes = encoded.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
    if without := int((~tells[codes]).sum()):
        notice(
            f"{without:,} of {len(codes):,} rows of {where} have nothing in the column {column!r}: "
            f"they are taken into the split {of_code[-1]}."
        )
    splits = np.unique(of_code[np.unique(codes)])
    return {str(split): np.flatnonzero(of_code[codes] == split) for split in splits}


def parquet_files(root: Path) -> list[Path]:
    """The parquet files at or in a folder, two folders deep at most."""
    if root.is_file():
        return [root] if root.suffix == ".parquet" else []
    if not root.is_dir():
        return []
    return sorted(path for depth in ("", "*/", "*/*/") for path in root.glob(f"{depth}*.parquet"))


def is_parquet(root: Path) -> bool:
    """Whether a folder's parquet files, or the file, hold recordings."""
    files = parquet_files(root)
    if not files:
        return False
    try:
        return holds_audio(files[0])
    except UserError:
        return False


def _files(root: Path, config: DataConfig) -> dict[str, list[Path]]:
    """The files of each split.

    Raises:
        UserError: There are none, or they are of several configurations.
    """
    if root.is_file():
        return {ONLY_SPLIT: [root]}
    layout = layout_of(path.relative_to(root).as_posix() for path in parquet_files(root))
    if not layout:
        raise UserError("There are no parquet files here.", where=str(root), fix="data.path=FOLDER")
    wanted = config.dataset_configs or ([ONLY_CONFIG] if ONLY_CONFIG in layout else list(layout))
    if len(wanted) != 1 or wanted[0] not in layout:
        raise UserError(
            f"The folder has several configurations: {', '.join(layout)}.",
            where="data.dataset_configs",
            fix=f"data.dataset_configs=[{next(iter(layout))}]",
        )
    found = {
        (ONLY_SPLIT if name in _PLAIN_NAMES and len(layout[wanted[0]]) == 1 else name): names
        for name, names in layout[wanted[0]].items()
    }
    return {split: [root / name for name in names] for split, names in found.items()}


def _split_column(files: dict[str, list[Path]], config: DataConfig) -> str | None:
    """The column that tells the split, where one split's files hold them all."""
    import pyarrow.parquet

    if set(files) != {ONLY_SPLIT}:
        return None
    there = pyarrow.parquet.read_schema(files[ONLY_SPLIT][0]).names
    wanted = [config.columns["split"]] if "split" in config.columns else HEADERS["split"]
    return next((name for name in wanted if name in there), None)
