"""LJ Speech, and the many corpora laid out like it: ``metadata.csv`` without a header.

    LJ001-0002|in being comparatively modern.|in being comparatively modern.
    wavs/LJ001-0002.wav
    python src/train_hydra.py data.path=LJSpeech-1.1 data.eval_splits=null

The fields are the file's name without its ending, the transcript, and the transcript with
numbers and abbreviations written out, which is the one that is used where it is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mynah.config.schema import DataConfig
from mynah.data.row import Row
from mynah.data.sources.reading.lines import read_lines
from mynah.data.sources.reading.metadata import HEADERS
from mynah.data.sources.reading.paths import AudioPaths
from mynah.data.sources.reading.source import ONLY_SPLIT, Place, SplitFilesSource
from mynah.errors import UserError

_LISTING = "metadata.csv"


class LJSpeechSource(SplitFilesSource):
    """All of it is ``train``: one speaker, no splits of its own."""

    format = "ljspeech"
    is_corpus = True

    @classmethod
    def recognizes(cls, root: Path) -> bool:
        return is_ljspeech(root) or is_ljspeech(root / "LJSpeech-1.1")

    @classmethod
    def open(cls, config: DataConfig, place: Place) -> LJSpeechSource:
        root = (place.working_directory / Path(config.path or config.dataset_name)).expanduser()
        root = root.resolve()
        for folder in (root, root / "LJSpeech-1.1"):
            if (folder / _LISTING).is_file():
                splits = {ONLY_SPLIT: [folder / _LISTING]}
                return cls(config, place, name=folder.name, identity=str(folder), splits=splits)
        raise UserError(
            "There is no LJ Speech here: a folder with metadata.csv and wavs/ is needed.",
            where=str(root),
            fix="data.path=FOLDER, as LJSpeech-1.1",
        )

    def read(self, split: str, paths: Sequence[Path]) -> list[Row]:
        (path,) = paths
        finder = AudioPaths(path.parent, self._config, self._place, folders=[path.parent / "wavs"])
        lj = path.parent.name.startswith("LJSpeech")
        rows = []
        for number, line in read_lines(path):
            if not line.strip():
                continue
            where = f"{path}, line {number}"
            fields = line.split("|")
            if len(fields) not in (2, 3):
                raise UserError(
                    f"The line has {len(fields)} fields: name|transcript|normalised transcript "
                    "is expected.",
                    where=where,
                )
            rows.append(
                Row(
                    id=fields[0].strip(),
                    path=finder.find(fields[0].strip(), where),
                    text=" ".join(fields[-1].split()) or " ".join(fields[1].split()) or None,
                    speaker="LJ" if lj else "",
                    language="en" if lj else "",
                    source=path.parent.name,
                )
            )
        return rows


def is_ljspeech(folder: Path) -> bool:
    """Whether a folder has wavs/, and a metadata.csv with bars between fields and no header."""
    path = folder / _LISTING
    if not path.is_file() or not (folder / "wavs").is_dir():
        return False
    try:
        first = next((line for _, line in read_lines(path)), "")
    except UserError:
        return False
    fields = first.split("|")
    known = {header for headers in HEADERS.values() for header in headers}
    if len(fields) not in (2, 3) or "," in fields[0]:
        return False
    return not any(field.strip().lower() in known for field in fields)
