"""Manifests of NVIDIA NeMo: a JSON object a line; one with ``_skipme`` is not learned from.

    {"audio_filepath": "wav/a.wav", "offset": 1.5, "duration": 3.2, "text": "hello"}
    {"audio_filepath": "wav/b.wav", "duration": 2.0, "text": "", "no_speech": true}
    python src/train_hydra.py data.path=manifests/   # train_manifest.json, dev_manifest.json

``data.path`` is a manifest, a folder of them, several with commas, or a pattern as NeMo writes
it: ``manifest__OP_0..7_CL_.json``, ``manifest_{0..7}.json``, ``manifests/*.json``. Recordings in
tar files (``tarred_audio_manifest.json`` with ``shard_id`` beside ``audio_0.tar``) are read where
they lie in the tar file; ``data.streaming=true`` reads the tars as they come.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mynah.config.schema import DataConfig
from mynah.data.audio.files import AUDIO_SUFFIXES
from mynah.data.row import Row
from mynah.data.sources.reading import metadata, values
from mynah.data.sources.reading.lines import read_all
from mynah.data.sources.reading.listed import rows_of
from mynah.data.sources.reading.paths import AudioPaths
from mynah.data.sources.reading.source import ONLY_SPLIT, Place, SplitFilesSource, usual_split
from mynah.data.sources.reading.tars import TarMember, members
from mynah.errors import UserError

# _OP_ and _CL_ stand for braces, which a shell would expand
_RANGE = re.compile(r"(?:_OP_|\{)(?P<first>\d+)\.\.(?P<last>\d+)(?:_CL_|\})")
_SUBSEGMENT = re.compile(r"-sub\d+$")
_MOST_FILES = 100_000
_SHARDED = "sharded_manifests"  # a folder beside the tars, with a manifest for each
_SHOWN = 5  # names in a message
_SUFFIXES = (".jsonl", ".json", ".jsonl.gz", ".json.gz")
_PATTERN = re.compile(r"[*,{]|_OP_")
SKIPPED = "_skipme"  # a line with any true value, as "no", is passed over in NeMo
_AUDIO = frozenset({"audio_filepath", "audio_filename"})
# What a line says of its speech
_SAID = ("text", "text_0", "text_1", "text_file", "no_speech")


class NemoSource(SplitFilesSource):
    """Splits after the manifests' names, as ``dev`` for ``an4_dev_manifest.json``."""

    format = "nemo"

    @classmethod
    def recognizes(cls, root: Path) -> bool:
        if root.is_file():
            return is_manifest(root)
        # A folder with a listing of its own is read by that; metadata.yaml is NeMo's of tars.
        listings = (path for path in root.glob("metadata.*") if path.suffix != ".yaml")
        if not root.is_dir() or any(listings):
            return False
        return bool(_manifests_in(root) or _folders_of_tars(root))

    @classmethod
    def means(cls, config: DataConfig) -> bool:
        """Several manifests: no other format's path is a pattern."""
        return bool(_PATTERN.search(config.path or config.dataset_name))

    @classmethod
    def open(cls, config: DataConfig, place: Place) -> NemoSource:
        given = config.path or config.dataset_name
        paths = nemo_manifests(given, place.working_directory)
        root = place.working_directory / Path(given).expanduser()
        if not paths and (folders := _folders_of_tars(root)):
            raise UserError(
                f"There are tarred corpora in {len(folders)} folder(s): "
                f"{', '.join(folder.name for folder in folders[:_SHOWN])}.",
                where=given,
                fix=f"stream them: data.streaming=true; or read one: data.path={folders[0]}",
            )
        if not paths:
            raise UserError(
                "There is no manifest here: a JSON file with audio_filepath, duration and text "
                "on each line is needed.",
                where=given,
                fix="data.path=MANIFEST.json, or the folder that holds it",
            )
        splits: dict[str, list[Path]] = {}
        for path in paths:
            splits.setdefault(_split(path) if len(paths) > 1 else ONLY_SPLIT, []).append(path)
        return cls(
            config,
            place,
            name=Path(given).name,
            identity=str(place.working_directory / Path(given).expanduser()),
            splits=splits,
        )

    def read(self, split: str, paths: Sequence[Path]) -> list[Row]:
        rows: list[Row] = []
        for path in paths:
            tars = _Tars(path.parent)
            finder = AudioPaths(path.parent, self._config, self._place, absolute=True)
            for number, listed in metadata.read_listing(
                path, self._config.columns, also=(SKIPPED,)
            ):
                rows += self._rows(listed, f"{path}, line {number}", split, finder, tars)
        return rows

    def _rows(
        self, listed: dict[str, Any], where: str, split: str, finder: AudioPaths, tars: _Tars
    ) -> list[Row]:
        if "audio" not in listed:
            raise UserError("No audio_filepath is named here.", where=where)
        name = values.text(listed["audio"], "audio_filepath", where)
        if listed.get(SKIPPED):
            listed = {ours: held for ours, held in listed.items() if ours not in _SAID}
        elif "text_file" in listed and "text" not in listed:
            listed = {**listed, "text": _text_of(listed["text_file"], finder, where)}
        member: TarMember | None = None
        if "shard" in listed:
            tar, member = tars.find(listed["shard"], name, where)
            path = str(tar)
        else:
            path = finder.find(name, where)
        return rows_of(
            listed,
            where=where,
            path=path,
            name=name,
            source=split,
            channels=self._config.channels,
            cuts=True,
            byte_offset=member.offset if member else None,
            byte_length=member.size if member else None,
        )


@dataclass
class _Tars:
    """The tar files beside a manifest, opened when a line names one."""

    folder: Path

    def __post_init__(self) -> None:
        self._held: dict[int, tuple[Path, dict[str, dict[str, TarMember]]]] = {}

    def find(self, shard: Any, name: str, where: str) -> tuple[Path, TarMember]:
        """The tar file of a shard, and the recording in it.

        Raises:
            UserError: There is no such shard, or it does not hold the recording, or several that
                may be meant.
        """
        if isinstance(shard, bool) or not isinstance(shard, int) or not 0 <= shard < _MOST_FILES:
            raise UserError(f"{str(shard)[:80]!r} is not the number of a shard.", where=where)
        if shard not in self._held:
            path = self._path(shard, where)
            # By their last part and then by their names; of one that comes again the last counts.
            sounds: dict[str, dict[str, TarMember]] = {}
            others: dict[str, dict[str, TarMember]] = {}
            for member in members(path):
                is_sound = Path(member.name).suffix.lower() in AUDIO_SUFFIXES
                full = _without_ending(member.name)
                (sounds if is_sound else others).setdefault(Path(full).name, {})[full] = member
            self._held = {shard: (path, others | sounds)}  # one at a time: they come in order
        path, held = self._held[shard]
        wanted = _without_ending(name)
        for stem in dict.fromkeys((wanted, _SUBSEGMENT.sub("", wanted))):
            if found := _meant(stem, held.get(Path(stem).name, {})):
                if len(found) > 1:
                    names = ", ".join(member.name for member in found[:_SHOWN])
                    raise UserError(
                        f"{path.name} holds several recordings that {name!r} may mean: {names}.",
                        where=where,
                        fix="name them with their folders in the manifest, as in the tar file",
                    )
                return path, found[0]
        raise UserError(f"{path.name} holds no recording {name!r}.", where=where)

    def _path(self, number: int, where: str) -> Path:
        name = f"audio_{number}.tar"
        for folder in (self.folder, self.folder.parent):
            if (folder / name).is_file():
                return folder / name
        raise UserError(f"There is no {name} beside the manifest.", where=where)


def _meant(stem: str, there: Mapping[str, TarMember]) -> Sequence[TarMember]:
    """Of recordings with the last part of a name those that it means: the only one, whatever its
    folder; of several the one of that name, or whose folders are a part of its own."""
    if len(there) < 2:
        return [*there.values()]
    parts = stem.split("/")
    for at in range(len(parts)):
        if (tail := "/".join(parts[at:])) in there:
            return [there[tail]]
    alike = [member for name, member in there.items() if name.endswith(f"/{stem}")]
    return alike or [*there.values()]


def _without_ending(name: str) -> str:
    path = Path(name)  # which has no "./" before it
    return path.with_suffix("").as_posix() if path.name else name


def nemo_manifests(given: str, working_directory: Path) -> list[Path]:
    """The manifests that ``data.path`` means; none where it means something else.

    Raises:
        UserError: A pattern means too many.
    """
    found: list[Path] = []
    for one in given.split(","):
        for name in _expanded(one.strip()):
            path = working_directory / Path(name).expanduser()
            if path.is_dir():
                found += _manifests_in(path)
            elif "*" in name:
                anchor = Path(path.anchor)
                pattern = str(path.relative_to(anchor))
                found += sorted(file for file in anchor.glob(pattern) if is_manifest(file))
            elif path.is_file() or len(found) < _MOST_FILES:
                found.append(path)
    return found


def _manifests_in(folder: Path) -> list[Path]:
    """The manifests of a folder; of tars that have one each, those."""
    found = sorted(file for file in folder.iterdir() if is_manifest(file))
    sharded = folder / _SHARDED
    return found if found or not sharded.is_dir() else _manifests_in(sharded)


def _folders_of_tars(root: Path) -> list[Path]:
    """The folders in a folder that hold tars with their manifests."""
    if not root.is_dir():
        return []
    folders = {tar.parent for tar in root.glob("*/audio*.tar")}
    return sorted(folder for folder in folders if _manifests_in(folder))


def is_manifest(path: Path) -> bool:
    """Whether the first line of a file is a row of a manifest."""
    if not path.name.endswith(_SUFFIXES) or not path.is_file():
        return False
    try:
        first = next(metadata.json_rows(path), None)
    except UserError:
        return False
    return first is not None and is_line(first[1])


def is_line(listed: Mapping[str, Any]) -> bool:
    """Whether an object names its recording as NeMo does, where a duration cuts without an offset.

    Args:
        listed: Values by the listing's own names.
    """
    return not _AUDIO.isdisjoint(listed)


def _text_of(named: Any, finder: AudioPaths, where: str) -> str:
    """The transcript of a manifest that names a file for it (``text_filepath``, of old ones)."""
    name = values.text(named, "text_filepath", where)
    path = Path(finder.find(name, where))
    if not path.is_file():
        raise UserError(f"There is no transcript {name[:200]}.", where=where)
    return read_all(path)


def _expanded(pattern: str) -> list[str]:
    """``a{0..2}`` as a0, a1, a2; several ranges are combined.

    Raises:
        UserError: They are too many.
    """
    names = [pattern]
    while match := _RANGE.search(names[0]):
        first, last = int(match["first"]), int(match["last"])
        if (last - first + 1) * len(names) > _MOST_FILES:
            raise UserError(f"The pattern means over {_MOST_FILES:,} manifests.", where=pattern)
        names = [
            _RANGE.sub(str(number), name, count=1)
            for name in names
            for number in range(first, last + 1)
        ] or [""]
    return names


def _split(path: Path) -> str:
    """What a manifest's name tells: ``train`` for ``an4_train_manifest_3.json``."""
    stem = path.name.partition(".")[0].lower()
    words = [
        word for word in re.split(r"[-_]+", stem) if word not in ("manifest", "tarred", "audio")
    ]
    for word in words:
        if usual_split(word):
            return word
    kept = [word for word in words if not word.isdigit()]
    return "_".join(kept) or ONLY_SPLIT
