"""A dataset that ``datasets.save_to_disk`` wrote: one split, or a DatasetDict of them.

DatasetDict({"train": …, "test": …}).save_to_disk("mine")
mine/dataset_dict.json, mine/train/data-00000-of-00001.arrow, …
python src/train_hydra.py data.path=mine data.eval_splits=[test]
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mynah.config.schema import DataConfig
from mynah.data.sources.reading.lines import as_object, parse_json, read_all
from mynah.data.sources.reading.paths import AudioPaths
from mynah.data.sources.reading.source import ONLY_SPLIT, Part, Place, Source
from mynah.data.sources.reading.tabular import prepared, quietly, undecoded
from mynah.errors import UserError

if TYPE_CHECKING:
    from mynah.data.tables.table import Table


class DiskSource(Source):
    """Splits as they were saved; a dataset without any is ``train``."""

    format = "disk"

    def __init__(self, config: DataConfig, place: Place, root: Path) -> None:
        self.name = root.name
        self.identity = str(root)
        self._config = config
        self._place = place
        self._splits = saved_splits(root)
        self.has_splits = set(self._splits) != {ONLY_SPLIT}

    @classmethod
    def recognizes(cls, root: Path) -> bool:
        return is_saved(root)

    @classmethod
    def open(cls, config: DataConfig, place: Place) -> DiskSource:
        root = (place.working_directory / Path(config.path or config.dataset_name)).expanduser()
        root = root.resolve()
        if not is_saved(root):
            raise UserError(
                "There is no dataset here that save_to_disk wrote: dataset_dict.json or "
                "state.json is needed.",
                where=str(root),
                fix="data.path=FOLDER, the one that was given to save_to_disk",
            )
        return cls(config, place, root)

    def splits(self) -> list[str]:
        return list(self._splits)

    def table(self, part: Part, first_rows: int | None = None) -> Table:
        import datasets

        folder = self._splits[part.key]
        dataset = quietly(lambda: datasets.load_from_disk(str(folder)), where=str(folder))
        finder = AudioPaths(folder, self._config, self._place, absolute=True)
        return prepared(
            undecoded(dataset).flatten_indices() if dataset._indices else undecoded(dataset),
            config=self._config,
            place=self._place,
            part=part,
            format=self.format,
            corpus=self.name,
            identity=f"{self.identity} {_stamps(folder)}",
            find_audio=lambda name: Path(finder.find(name, str(folder))),
        )


def is_saved(root: Path) -> bool:
    """Whether a folder is one that ``save_to_disk`` wrote."""
    return (root / "dataset_dict.json").is_file() or (
        (root / "state.json").is_file() and (root / "dataset_info.json").is_file()
    )


def saved_splits(root: Path) -> dict[str, Path]:
    """The folder of each split.

    Raises:
        UserError: What lists them cannot be understood, or leads out of the folder.
    """
    listing = root / "dataset_dict.json"
    if not listing.is_file():
        return {ONLY_SPLIT: root}
    names = as_object(parse_json(read_all(listing), listing), listing, None).get("splits")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise UserError("It lists no splits.", where=str(listing))
    for name in names:
        if name != Path(name).name or name in ("", ".", ".."):
            raise UserError(f"{name!r} is not the name of a split.", where=str(listing))
    return {name: root / name for name in names}


def _stamps(folder: Path) -> list[tuple[str, int, int]]:
    files = [*sorted(folder.glob("*.arrow")), folder / "state.json"]
    return [
        (file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.exists()
    ]
