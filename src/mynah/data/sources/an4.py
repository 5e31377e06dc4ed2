"""CMU's AN4 as it is distributed: ``etc/an4_train.fileids`` and ``.transcription``, and
NIST sphere files under ``wav/``.

    an4/etc/an4_train.fileids          an4_clstk/fash/an251-fash-b
    an4/etc/an4_train.transcription    <s> YES </s> (an251-fash-b)
    python src/train_hydra.py data.path=an4 data.eval_splits=[test]
"""

from __future__ import annotations

import re
from pathlib import Path

from mynah.config.schema import DataConfig
from mynah.data.row import Row
from mynah.data.sources.reading.lines import line_place, read_lines
from mynah.data.sources.reading.paths import AudioPaths
from mynah.data.sources.reading.source import Part, Place, RowSource
from mynah.errors import UserError

# "<s> YES </s> (an251-fash-b)" in the training list, "GO (an409-fcaw-b)" in the test list
_LINE = re.compile(r"^(?P<text>.*)\((?P<id>[^()]+)\)\s*$")
_TAG = re.compile(r"<[^>]*>")


class AN4Source(RowSource):
    """Splits ``train`` (948 utterances) and ``test`` (130), speakers disjoint."""

    format = "an4"
    is_corpus = True

    def __init__(self, root: Path, config: DataConfig, place: Place) -> None:
        super().__init__(config, place, name="an4", identity=str(root))
        self._root = root

    @classmethod
    def recognizes(cls, root: Path) -> bool:
        patterns = ("etc/*_train.fileids", "an4/etc/*_train.fileids")
        return any(next(root.glob(pattern), None) for pattern in patterns)

    @classmethod
    def open(cls, config: DataConfig, place: Place) -> AN4Source:
        root = (
            place.working_directory / Path(config.path or config.dataset_name).expanduser()
        ).resolve()
        for candidate in (root, root / "an4"):
            if list((candidate / "etc").glob("*_train.fileids")):
                return cls(candidate, config, place)
        raise UserError(
            "There is no AN4 corpus here: a folder with etc/an4_train.fileids is needed.",
            where=str(root),
            fix="data.path=FOLDER, the one that holds etc/ and wav/",
        )

    def splits(self) -> list[str]:
        return sorted(
            (path.stem.rpartition("_")[2] for path in (self._root / "etc").glob("*_*.fileids")),
            reverse=True,
        )

    def parts(self, split: str) -> list[Part]:
        if split not in self.splits():
            raise self.unknown_split(split)
        return [Part(split, split)]

    def rows(self, part: Part) -> list[Row]:
        ids = next((self._root / "etc").glob(f"*_{part.key}.fileids"))
        transcripts = self._transcripts(ids.with_suffix(".transcription"))
        rows = []
        paths = AudioPaths(self._root, self._config, self._place, folders=[self._root / "wav"])
        for number, listed in read_lines(ids):
            line = listed.strip()
            if not line:
                continue
            file = Path(paths.find(line, line_place(ids, number)))
            rows.append(
                Row(
                    id=file.stem,
                    path=str(file),
                    text=transcripts.get(file.stem),
                    speaker=file.parent.name,
                    language="en",
                    source="an4",
                )
            )
        return rows

    def _transcripts(self, path: Path) -> dict[str, str]:
        if not path.is_file():
            raise UserError("The AN4 corpus has no transcripts.", where=str(path), fix=None)
        found = {}
        for _, line in read_lines(path):
            match = _LINE.match(line.strip())
            if match:
                text = " ".join(_TAG.sub(" ", match["text"]).split())
                found[match["id"].strip()] = text
        return found
