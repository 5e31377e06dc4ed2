"""Shards that are files: parquet, Arrow, tar and JSON Lines, read in order.

Of NeMo's tars and Lhotse's Shar a shard is in several files, which are found together here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from mynah.data.packed.layout import PACK_NAME, UNFINISHED_NAME
from mynah.data.row import Row
from mynah.data.sources.reading.source import ONLY_SPLIT, usual_split
from mynah.data.streams import arrow_shards, lhotse_shar, manifests, nemo_tars, tars
from mynah.data.streams.reader import BadRow, FindAudio, ShardReader, unless_all_are_bad
from mynah.data.streams.shard import Shard
from mynah.errors import UserError
from mynah.storage.address import masked
from mynah.storage.store import Entry, Store

_FORMATS = {
    ".parquet": arrow_shards.read_parquet,
    ".arrow": arrow_shards.read_arrow,
    ".tar": tars.read_tar,
    ".tar.gz": tars.read_tar,
    ".tgz": tars.read_tar,
    ".jsonl": manifests.read_manifest,
    ".jsonl.gz": manifests.read_manifest,
    ".json": manifests.read_manifest,
    ".json.gz": manifests.read_manifest,
    nemo_tars.NEMO_TAR: nemo_tars.read_nemo_tar,
    lhotse_shar.SHAR: lhotse_shar.read_shar,
}
# Layouts of which a shard is in several files: each joins its own, and leaves the others.
_LAYOUTS = (nemo_tars.with_manifests, lhotse_shar.with_recordings)
# "train-00000-of-00014", "shard_000012", "train.100-0003", "00007"
_NUMBERED = re.compile(r"^(?P<split>.*?)(?:[-_.]?\d{3,})?(?:[-_]of[-_]\d+)?$")


NOWHERE = Path("/nowhere")  # no folder of this machine: shards in storage hold their recordings


def nothing_stored(address: str) -> UserError:
    """There are no shards at an address."""
    return UserError(
        "There are no parquet, Arrow or tar shards there.",
        where=masked(address),
        fix="name the folder that holds them; other corpora are fetched: data.streaming=false",
    )


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
        files: Sequence[Shard],
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
            " ".join([f"{shown} {file.size_bytes}", *map(_about, file.beside)])
            for shown, file in zip(self.shards, self._files, strict=True)
        )
        self.identity = hashlib.blake2b(about.encode(), digest_size=16).hexdigest()

    def read(self, shard: int, start: int, *, audio: bool) -> Iterator[Row | BadRow]:
        file = self._files[shard]
        rows = _FORMATS[file.ending](
            file, start, audio=audio, columns=self._columns, find=self._find
        )
        return rows if start else unless_all_are_bad(rows)


def find_shards(root: Path) -> dict[str, list[Shard]]:
    """Shard files by split, each split's sorted by path; empty where there are none.

    A split is given by a folder or by the name of the files: ``train/0001.tar``,
    ``train-00000-of-00014.parquet``, ``validation.jsonl``. Files that name none are ``train``.

    Args:
        root: A folder, or one shard.

    Raises:
        UserError: A split is in several formats, or a shard lacks one of its files.
    """
    if root.is_file():
        given = Shard(root, _ending(root))
        if nemo_tars.names_tars(given):
            tars = [Shard(path, ".tar") for path in sorted(root.parent.glob("*.tar"))]
            return _of_manifest(given, tars, root.parent)
        return {_split(root, root.parent): [given]} if given.ending else {}
    paths = [path for path in sorted(root.rglob("*")) if path.is_file()]
    return _by_split([Shard(path, _ending(path)) for path in paths], root, str(root))


def stored_shards(store: Store) -> dict[str, list[Shard]]:
    """As :func:`find_shards`, of a corpus in storage.

    Raises:
        UserError: It cannot be listed, a split is in several formats, a shard lacks one of its
            files, or recordings lie beside what lists them.
    """

    def stored(entries: Sequence[Entry]) -> list[Shard]:
        return [Shard(Path(e.name), _ending(Path(e.name)), store, e) for e in entries]

    entries = store.list()
    if not entries and (itself := store.find()) is not None:
        store = Store(store.address.rpartition("/")[0])
        entries = [itself]
        (given,) = stored(entries)
        if nemo_tars.names_tars(given):
            beside = [entry for entry in store.list() if "/" not in entry.name]
            return _of_manifest(given, stored(beside), Path())
    shards = stored(entries)
    found = _by_split(shards, Path(), masked(store.address))
    for files in found.values():
        if files[0].ending.startswith(".json"):
            raise UserError(
                "A manifest in storage names recordings beside it, one request each: it is not "
                "streamed.",
                where=str(files[0]),
                fix="data.streaming=false fetches the corpus; or pack it into shards first: "
                "mynah data pack CORPUS --to SHARDS",
            )
    return found


def _of_manifest(manifest: Shard, beside: Sequence[Shard], root: Path) -> dict[str, list[Shard]]:
    """The tars of one of NeMo's manifests, which lie in its folder."""
    tars = [shard for shard in beside if nemo_tars.is_tar_name(shard.path.name)]
    return _by_split([manifest, *tars], root, str(manifest))


def _by_split(shards: Sequence[Shard], root: Path, where: str) -> dict[str, list[Shard]]:
    seen = [
        shard
        for shard in shards
        if shard.ending
        and not any(part.startswith(".") for part in shard.path.relative_to(root).parts)
    ]
    for joined in _LAYOUTS:
        seen = joined(seen)
    found: dict[str, list[Shard]] = {}
    for shard in seen:
        found.setdefault(_split(shard.path, root), []).append(shard)
    for split, files in found.items():
        kinds = {file.ending for file in files}
        if len(kinds) > 1:
            raise UserError(
                f"Split {split} has shards in several formats: {', '.join(sorted(kinds))}.",
                where=where,
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


def _about(shard: Shard) -> str:
    return f"{shard.path.name} {shard.size_bytes}"


def _shown(path: Path, root: Path) -> str:
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return str(path)
