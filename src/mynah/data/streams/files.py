"""Shards that are files on this machine: parquet, Arrow, tar and JSON Lines, read in order."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mynah.data.packed.layout import PACK_NAME, UNFINISHED_NAME
from mynah.data.row import Row
from mynah.data.sources.reading.source import ONLY_SPLIT, usual_split
from mynah.data.streams import arrow_shards, manifests, tars
from mynah.data.streams.reader import BadRow, FindAudio, ShardReader
from mynah.errors import UserError

_FORMATS = {
    ".parquet": arrow_shards.read_parquet,
    ".arrow": arrow_shards.read_arrow,
    ".tar": tars.read_tar,
    ".tar.gz": tars.read_tar,
    ".tgz": tars.read_tar,
    ".jsonl": manifests.read_manifest,
    ".jsonl.gz": manifests.read_manifest,
    ".json": manifests.read_manifest,
}
# "train-00000-of-00014", "shard_000012", "train.100-0003", "00007"
_NUMBERED = re.compile(r"^(?P<split>.*?)(?:[-_.]?\d{3,})?(?:[-_]of[-_]\d+)?$")


@dataclass(frozen=True)
class ShardFile:
    """A shard on this machine.

    Attributes:
        path: The file.
        ending: Which of the formats it is in, as ``".tar.gz"``.
    """

    path: Path
    ending: str


class FileReader(ShardReader):
    """Shard files in the order given.

    Args:
        name: What the stream is called.
        files: Its shards.
        columns: ``data.columns``.
        root: The corpus's folder.
        find: Gives the path of a recording that a shard names.
    """

    def __init__(
        self,
        name: str,
        files: Sequence[ShardFile],
        *,
        columns: dict[str, str],
        root: Path,
        find: FindAudio,
    ) -> None:
        self.name = name
        self._files = tuple(files)
        self._columns = columns
        self._find = find
        self.shards = tuple(_shown(file.path, root) for file in self._files)
        about = "\n".join(
            f"{shown} {file.path.stat().st_size}"
            for shown, file in zip(self.shards, self._files, strict=True)
        )
        self.identity = hashlib.blake2b(about.encode(), digest_size=16).hexdigest()

    def read(self, shard: int, start: int, *, audio: bool) -> Iterator[Row | BadRow]:
        file = self._files[shard]
        return _FORMATS[file.ending](
            file.path, start, audio=audio, columns=self._columns, find=self._find
        )


def find_shards(root: Path) -> dict[str, list[ShardFile]]:
    """Shard files by split, each split's sorted by path; empty where there are none.

    A split is given by a folder or by the name of the files: ``train/0001.tar``,
    ``train-00000-of-00014.parquet``, ``validation.jsonl``. Files that name none are ``train``.

    Args:
        root: A folder, or one shard.

    Raises:
        UserError: A split is in several formats.
    """
    if root.is_file():
        ending = _ending(root)
        return {_split(root, root.parent): [ShardFile(root, ending)]} if ending else {}
    found: dict[str, list[ShardFile]] = {}
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        ending = _ending(path)
        if ending and path.is_file() and not any(part.startswith(".") for part in relative.parts):
            found.setdefault(_split(path, root), []).append(ShardFile(path, ending))
    for split, files in found.items():
        kinds = {file.ending for file in files}
        if len(kinds) > 1:
            raise UserError(
                f"Split {split} has shards in several formats: {', '.join(sorted(kinds))}.",
                where=str(root),
                fix="give the folder that holds those of one format: data.path=FOLDER",
            )
    return found


def _ending(path: Path) -> str:
    name = path.name.lower()
    if name in (PACK_NAME, UNFINISHED_NAME):  # beside the tars of a packed corpus
        return ""
    endings = [ending for ending in _FORMATS if name.endswith(ending)]
    return max(endings, key=len, default="")


def _split(path: Path, root: Path) -> str:
    stem = path.name[: -len(_ending(path))]
    match = _NUMBERED.match(stem)
    name = match["split"].rstrip("-_.") if match else stem
    if usual_split(re.split(r"[-_.]", name)[0]):
        return name
    for folder in reversed(path.relative_to(root).parts[:-1]):
        if usual_split(re.split(r"[-_.]", folder)[0]):
            return folder
    return ONLY_SPLIT


def _shown(path: Path, root: Path) -> str:
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return str(path)
