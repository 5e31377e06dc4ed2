"""WebDataset shards: tar files in which a recording and what is said have one name.

    train-000000.tar, train-000001.tar, dev-000000.tar
    0001.flac 0001.txt   or   0001.flac 0001.json {"text": …, "speaker": …}
    python src/train_hydra.py data.path=shards data.eval_splits=[dev]

A recording is read where it lies in its shard; nothing is unpacked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mynah.config.schema import DataConfig
from mynah.data.audio.files import AUDIO_SUFFIXES
from mynah.data.row import Row
from mynah.data.sources.reading import metadata
from mynah.data.sources.reading.extras import as_columns
from mynah.data.sources.reading.lines import as_object, parse_json
from mynah.data.sources.reading.listed import rows_of
from mynah.data.sources.reading.source import ONLY_SPLIT, Place, SplitFilesSource
from mynah.data.sources.reading.tars import TarMember, members
from mynah.errors import UserError

_TEXTS = (".txt", ".text", ".transcript")
_DOCUMENTS = ("readme", "license", "licence", "notice", "changelog", "copying")
_LARGEST_TEXT = 16 << 20  # bytes
_NUMBER = re.compile(r"[-_.]?\d+$")


class WebDatasetSource(SplitFilesSource):
    """Splits after the shards' names or folders."""

    format = "webdataset"

    @classmethod
    def recognizes(cls, root: Path) -> bool:
        return bool(webdataset_shards(root))

    @classmethod
    def open(cls, config: DataConfig, place: Place) -> WebDatasetSource:
        root = (place.working_directory / Path(config.path or config.dataset_name)).expanduser()
        root = root.resolve()
        paths = webdataset_shards(root)
        if not paths:
            raise UserError(
                "There are no tar files here.",
                where=str(root),
                fix="data.path=FOLDER, the one that holds the shards",
            )
        splits: dict[str, list[Path]] = {}
        for path in paths:
            in_folder = root.is_dir() and path.parent != root
            name = path.parent.name if in_folder else _NUMBER.sub("", path.stem)
            splits.setdefault(name, []).append(path)
        if len(splits) == 1:  # a name alone, as data-000000.tar, tells no split
            splits = {ONLY_SPLIT: paths}
        return cls(config, place, name=root.name, identity=str(root), splits=splits)

    def read(self, split: str, paths: Sequence[Path]) -> list[Row]:
        rows: list[Row] = []
        for path in paths:
            samples = list(_samples(path))
            recorded = {key for key, parts in samples if _recording(parts) is not None}
            for key, parts in samples:
                if (sound := _recording(parts)) is not None:
                    rows += self._sample(path, key, parts, sound, split)
                # Where files of one name do not follow each other, its recording has the row.
                elif key not in recorded and not is_document(key):
                    rows += self._without_recording(path, key, parts, split)
        return rows

    def _sample(
        self, path: Path, key: str, parts: dict[str, TarMember], sound: TarMember | None, split: str
    ) -> list[Row]:
        """The rows of a sample; ``sound`` is its recording, where there is one."""
        return rows_of(
            self._listed(path, key, parts),
            where=f"{path}, {key}",
            path=str(path),
            name=key,
            source=split,
            channels=self._config.channels,
            byte_offset=None if sound is None else sound.offset,
            byte_length=None if sound is None else sound.size,
        )

    def _without_recording(
        self, path: Path, key: str, parts: dict[str, TarMember], split: str
    ) -> list[Row]:
        """The rows of a transcript whose recording is missing, each with a fault, so that they
        are counted; of what has no transcript, as a description of the corpus, none."""
        try:
            rows = self._sample(path, key, parts, None, split)
        except UserError:  # a file of another kind, as a list of JSON
            return []
        fault = (
            f"no recording is beside its {', '.join(sorted(parts))}: recordings end in "
            f"{', '.join(sorted(AUDIO_SUFFIXES))}"
        )
        return [replace(row, fault=fault) for row in rows if row.text or row.no_speech]

    def _listed(self, path: Path, key: str, parts: dict[str, TarMember]) -> dict[str, Any]:
        """What is said of a sample, by our names of the columns."""
        where = f"{path}, {key}"
        listed: dict[str, Any] = {}
        if ".json" in parts:
            inside = Path(where)
            held = as_object(parse_json(_text(path, parts[".json"]), inside), inside, None)
            names = metadata.column_names(where, list(held), self._config.columns, needed=False)
            listed = {
                ours: held[theirs]
                for ours, theirs in names.items()
                if held[theirs] not in (None, "")
            }
            if others := as_columns(held, metadata.other_columns(list(held), names)):
                listed[metadata.OTHERS] = others
        # Beside what a.json says, a.phones.txt is another file than its transcript.
        is_said = "text" in listed and _has_own_name(key, parts[".json"])
        for ending in _TEXTS:
            if ending in parts and not (is_said and not _has_own_name(key, parts[ending])):
                listed["text"] = _text(path, parts[ending])
                break
        return {"id": key, **{name: held for name, held in listed.items() if name != "audio"}}


def _recording(parts: dict[str, TarMember]) -> TarMember | None:
    """The recording among a sample's files."""
    return next((part for end, part in parts.items() if end in AUDIO_SUFFIXES), None)


def is_document(key: str) -> bool:
    """Whether files are about the corpus, by their name: ``LICENSE.txt`` is not a transcript."""
    return key.rpartition("/")[2].casefold() in _DOCUMENTS


def webdataset_shards(root: Path) -> list[Path]:
    """The tar files at, in, or one folder below a folder."""
    if root.is_file():
        return [root] if root.suffix == ".tar" else []
    if not root.is_dir():
        return []
    return sorted(root.glob("*.tar")) or sorted(root.glob("*/*.tar"))


def _samples(path: Path) -> Iterator[tuple[str, dict[str, TarMember]]]:
    """The files of each sample by their endings; those of one sample follow each other."""
    key = ""
    parts: dict[str, TarMember] = {}
    for member in members(path):
        folder, slash, base = member.name.rpartition("/")
        stem, dot, ending = base.partition(".")
        if not dot or not stem:
            continue
        name = folder + slash + stem
        if name != key and parts:
            yield key, parts
            parts = {}
        key = name
        # a.left.wav is the recording of a as well: its last ending tells what it is
        kind = f".{ending.rpartition('.')[2].lower()}"
        if kind in AUDIO_SUFFIXES and kind in parts:
            parts[kind] = _meant(path, key, parts[kind], member)
        elif kind not in parts or "." not in ending:  # a.json, and not a.alignment.json
            parts[kind] = member
    if parts:
        yield key, parts


def _meant(path: Path, key: str, there: TarMember, member: TarMember) -> TarMember:
    """Of two recordings of a sample the one that has its name alone, as ``a.wav``.

    Raises:
        UserError: Neither has: which one its transcript is of is not known.
    """
    for one in (member, there):
        if _has_own_name(key, one):
            return one
    raise several_recordings(key, [there.name, member.name], str(path))


def _has_own_name(key: str, member: TarMember) -> bool:
    """Whether a file is called as its sample alone, as ``a.wav`` and not ``a.left.wav``."""
    return "." not in member.name[len(key) + 1 :]


def several_recordings(key: str, names: Sequence[str], where: str) -> UserError:
    """What is said of a sample with more recordings than one."""
    return UserError(
        f"The files {' and '.join(names)} are recordings of one sample, {key}: in WebDataset its "
        "name ends at the first dot.",
        where=where,
        fix="write the tar with names that have no other dot than that of their ending; or unpack "
        "it: a folder of recordings with a text beside each is read as it is",
    )


def _text(path: Path, member: TarMember) -> str:
    """
    Raises:
        UserError: It is very long, or not UTF-8.
    """
    where = f"{path}, {member.name}"
    if member.size > _LARGEST_TEXT:
        raise UserError("This is too long for a transcript.", where=where)
    with path.open("rb") as file:
        file.seek(member.offset)
        content = file.read(member.size)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError("The transcript is not encoded in UTF-8.", where=where) from None
