"""Mozilla Common Voice as it is unpacked: ``clips/``, and a TSV file for each split.

    cv-corpus-21.0-2025-03-14/de/{train,dev,test,validated,other,invalidated}.tsv
    client_id  path  sentence  up_votes  down_votes  age  gender  accents  locale  segment
    python src/train_hydra.py data.path=cv-corpus-21.0-2025-03-14/de data.eval_splits=[dev]

Where a folder holds several languages, ``data.dataset_configs=[de]`` says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mynah.config.schema import DataConfig
from mynah.data.row import Row
from mynah.data.sources.reading import metadata, values
from mynah.data.sources.reading.listed import rows_of
from mynah.data.sources.reading.paths import AudioPaths
from mynah.data.sources.reading.source import Place, SplitFilesSource
from mynah.errors import UserError

_SPLITS = ("train", "dev", "test", "validated", "other", "invalidated")


class CommonVoiceSource(SplitFilesSource):
    """Splits ``train``, ``dev``, ``test`` (speakers disjoint), ``validated`` (all of them and
    more), ``other`` and ``invalidated``."""

    format = "common_voice"
    is_corpus = True

    @classmethod
    def recognizes(cls, root: Path) -> bool:
        return bool(languages(root))

    @classmethod
    def open(cls, config: DataConfig, place: Place) -> CommonVoiceSource:
        root = (place.working_directory / Path(config.path or config.dataset_name)).expanduser()
        root = root.resolve()
        folders = languages(root)
        if not folders:
            raise UserError(
                "There is no Common Voice here: a folder with clips/ and validated.tsv or "
                "train.tsv is needed.",
                where=str(root),
                fix="data.path=FOLDER, as cv-corpus-21.0-2025-03-14/de",
            )
        wanted = config.dataset_configs or (list(folders) if len(folders) == 1 else [])
        if len(wanted) != 1 or wanted[0] not in folders:
            raise UserError(
                f"The folder holds the languages {', '.join(folders)}; one is to be chosen.",
                where="data.dataset_configs",
                fix=f"data.dataset_configs=[{next(iter(folders))}]; for several: data.mixture",
            )
        folder = folders[wanted[0]]
        splits = {
            name: [folder / f"{name}.tsv"] for name in _SPLITS if (folder / f"{name}.tsv").is_file()
        }
        source = cls(
            config, place, name=f"common_voice {wanted[0]}", identity=str(folder), splits=splits
        )
        source._language = wanted[0]
        return source

    _language = ""

    def read(self, split: str, paths: Sequence[Path]) -> list[Row]:
        (path,) = paths
        finder = AudioPaths(path.parent, self._config, self._place, folders=[path.parent / "clips"])
        rows: list[Row] = []
        for number, listed in metadata.read_listing(path, self._config.columns, literal=True):
            where = f"{path}, line {number}"
            name = values.text(listed.get("audio"), "path", where)
            if not name:
                raise UserError("No clip is named here.", where=where)
            language = values.text(listed.get("language"), "locale", where) or self._language
            rows += rows_of(
                # The id is the clip's name; sentence_id is the sentence's, which many speak.
                {**listed, "id": Path(name).stem, "language": language},
                where=where,
                path=finder.find(name, where),
                name=name,
                source=f"common_voice {split}",
                channels=self._config.channels,
            )
        return rows


def languages(root: Path) -> dict[str, Path]:
    """The folders of languages at or in a folder, by their names."""

    def is_one(folder: Path) -> bool:
        return (folder / "clips").is_dir() and any(
            (folder / f"{name}.tsv").is_file() for name in _SPLITS
        )

    if not root.is_dir():
        return {}
    if is_one(root):
        return {root.name: root}
    folders = [*root.iterdir(), *root.glob("cv-corpus-*/*")]
    return {folder.name: folder for folder in sorted(folders) if is_one(folder)}
