"""LibriSpeech's own tree: ``LibriSpeech/train-clean-100/SPEAKER/CHAPTER/*.trans.txt`` and flac.

Splits have two names: those of the folders (openslr.org/12, /31), and those of the hub's
``openslr/librispeech_asr``, where a configuration is ``clean`` or ``other``::

    LibriSpeech/train-clean-100/103/1240/103-1240-0000.flac
    LibriSpeech/train-clean-100/103/1240/103-1240.trans.txt   103-1240-0000 CHAPTER ONE …
    python src/train_hydra.py data.path=LibriSpeech data.train_splits=[train-clean-100]
"""

from __future__ import annotations

from pathlib import Path

from mynah.config.schema import DataConfig
from mynah.data.row import Row
from mynah.data.sources.reading.extras import as_columns
from mynah.data.sources.reading.lines import line_place as line_place
from mynah.data.sources.reading.lines import read_lines
from mynah.data.sources.reading.paths import AudioPaths
from mynah.data.sources.reading.source import Part, Place, RowSource
from mynah.errors import UserError

_CONFIGS = ("clean", "other")


class LibriSpeechSource(RowSource):
    """One split a folder."""

    format = "librispeech"
    is_corpus = True
    elsewhere = "data=full for the hub's copy"

    def __init__(self, root: Path, subsets: list[str], config: DataConfig, place: Place) -> None:
        super().__init__(config, place, name="librispeech", identity=str(root))
        self._root = root
        self._subsets = subsets
        self._configs = config.dataset_configs or list(_CONFIGS)

    @classmethod
    def recognizes(cls, root: Path) -> bool:
        patterns = ("*/*/*/*.trans.txt", "LibriSpeech/*/*/*/*.trans.txt")
        return any(next(root.glob(pattern), None) for pattern in patterns)

    @classmethod
    def open(cls, config: DataConfig, place: Place) -> LibriSpeechSource:
        given = config.path or config.dataset_name
        root = (place.working_directory / Path(given).expanduser()).resolve()
        for candidate in (root / "LibriSpeech", root):
            subsets = subsets_of(candidate)
            if subsets:
                return cls(candidate, subsets, config, place)
        if root.is_dir() and any(root.glob("*/*.trans.txt")):
            raise UserError(
                "This folder lies inside a subset of LibriSpeech.",
                where=str(root),
                fix=f"data.path={root.parent.parent}",
            )
        raise UserError(
            "There is no LibriSpeech here: folders as train-clean-100/SPEAKER/CHAPTER with "
            "*.trans.txt are needed.",
            where=str(root),
            fix="data.path=FOLDER, the one that holds train-clean-100 or LibriSpeech; or "
            "data=full for the copy on the Hugging Face hub",
        )

    def splits(self) -> list[str]:
        return self._subsets

    def parts(self, split: str) -> list[Part]:
        if split in self._subsets:
            return [Part(split, split)]
        parts: dict[str, Part] = {}
        for config in self._configs:
            for subset in self._subsets:
                name = _hub_name(subset, config, several=len(self._configs) > 1)
                names = {name, name.removesuffix(f".{config}"), _full_name(subset)}
                if subset.startswith("train-"):
                    names.add("train")
                if name and split in names:
                    parts.setdefault(name, Part(name, subset))
        if not parts:
            raise self.unknown_split(split)
        return list(parts.values())

    def rows(self, part: Part) -> list[Row]:
        rows = []
        genders = _genders(self._root / "SPEAKERS.TXT")
        finder = AudioPaths(self._root, self._config, self._place)
        for listing in sorted((self._root / part.key).glob("*/*/*.trans.txt")):
            for number, line in read_lines(listing):
                name, _, text = line.strip().partition(" ")
                if name:
                    where = line_place(listing, number)
                    rows.append(
                        Row(
                            id=name,
                            path=finder.find(f"{listing.parent}/{name}", where),
                            text=text.strip() or None,
                            speaker=listing.parent.parent.name,
                            language="en",
                            source=part.key,
                            columns=as_columns({"gender": genders.get(listing.parent.parent.name)}),
                        )
                    )
        return rows


def _genders(path: Path) -> dict[str, str]:
    """F or M of each speaker: ``14   | F | train-clean-360 | 25.03 | Kristin LeMoine``."""
    if not path.is_file():
        return {}
    found = {}
    for _, line in read_lines(path):
        fields = [field.strip() for field in line.split("|")]
        if len(fields) > 2 and not line.startswith(";") and fields[1] in ("F", "M"):
            found[fields[0]] = fields[1]
    return found


def subsets_of(root: Path) -> list[str]:
    """Folders of ``root`` that hold LibriSpeech's transcripts two levels down."""
    if not root.is_dir():
        return []
    return sorted(
        folder.name
        for folder in root.iterdir()
        if folder.is_dir() and next(folder.glob("*/*/*.trans.txt"), None)
    )


def _full_name(subset: str) -> str:
    """A subset's name in the hub's configuration ``all``: ``train.clean.100``."""
    return subset.replace("dev-", "validation-").replace("-", ".")


def _hub_name(subset: str, config: str, *, several: bool) -> str:
    """A subset's name in the hub's configuration ``clean`` or ``other``, "" where it is not
    of it: ``train.100`` for train-clean-100, ``validation`` for dev-clean. Splits that both
    configurations have end in the configuration where both are asked for."""
    kind, _, rest = subset.partition("-")
    half, _, number = rest.partition("-")
    if half != config:
        return ""
    if kind == "train":
        return f"train.{number}" if number else "train"
    usual = "validation" if kind == "dev" else kind
    return f"{usual}.{config}" if several else usual
