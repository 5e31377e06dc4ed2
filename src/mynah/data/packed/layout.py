"""How a packed corpus lies on disk, and what is looked at before it is used.

    shards/train-000000.tar      recordings as they are encoded, and what is said of each (.json)
    shards/train-000000.index    an Arrow stream: the rows of that tar, where their bytes lie
    shards/pack.json             splits, shards, sums and statistics; it is written last

A packed corpus is *complete* where all files that ``pack.json`` names are there with their sizes:
looked at whenever it is opened. It is *intact* where their sums agree: ``SHA256SUMS``, which
``sha256sum -c`` reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mynah.data.packed.index import IndexHead, read_head
from mynah.data.packed.statistics import Statistics
from mynah.data.packed.tar_shard import holds_member
from mynah.errors import UserError
from mynah.files import read_json, write_json, write_text

VERSION = 1
PACK_NAME = "pack.json"
UNFINISHED_NAME = "packing.json"  # in its place while the corpus is being packed
SUMS_NAME = "SHA256SUMS"
_UNSAFE = re.compile(r"[^\w.]+")


@dataclass(frozen=True)
class PackedShard:
    """A tar and its index.

    Attributes:
        name: The tar's file name.
        rows: Rows of its index.
        bytes: Of the tar.
        sha256: Of the tar.
        index_bytes: Of the index.
        index_sha256: Of the index.
    """

    name: str
    rows: int
    bytes: int
    sha256: str
    index_bytes: int
    index_sha256: str

    @property
    def index(self) -> str:
        """The index's file name."""
        return index_name(self.name)


@dataclass(frozen=True)
class PackedSplit:
    """A split.

    Attributes:
        name: What it is called.
        fingerprint: Of the content of its rows, as a prepared table's.
        unreadable: Rows whose recording could not be read; they are in the index alone.
        shards: Its shards, in order.
        statistics: Of its rows.
    """

    name: str
    fingerprint: str
    unreadable: int
    shards: tuple[PackedShard, ...]
    statistics: Statistics

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return sum(shard.rows for shard in self.shards)


@dataclass(frozen=True)
class Pack:
    """What a packed corpus holds.

    Attributes:
        corpus: What it was packed from is called so.
        has_splits: Whether that corpus itself tells what is for training and what is not.
        statement: What it says of how training and evaluation differ.
        splits: By name.
        channels: ``data.channels``, as it was when the corpus was packed; "": not known.
    """

    corpus: str
    has_splits: bool
    statement: Mapping[str, Any]
    splits: Mapping[str, PackedSplit]
    channels: str = ""

    def write(self, root: Path) -> None:
        """Write ``SHA256SUMS``, then ``pack.json``: from then on the corpus is complete.

        Raises:
            OSError: It cannot be written there.
        """
        shards = [shard for split in self.splits.values() for shard in split.shards]
        sums = [(one.name, one.sha256) for one in shards]
        sums += [(one.index, one.index_sha256) for one in shards]
        write_text(root / SUMS_NAME, [f"{digest}  {name}\n" for name, digest in sorted(sums)])
        content = {"version": VERSION, **asdict(self)}
        for name, split in self.splits.items():
            content["splits"][name]["statistics"] = split.statistics.as_json()
        write_json(root / PACK_NAME, content, indent=1)
        (root / UNFINISHED_NAME).unlink(missing_ok=True)


def shard_name(split: str, number: int) -> str:
    """The file name of a split's tar."""
    return f"{_UNSAFE.sub('-', split)}-{number:06d}.tar"


def index_name(tar: str) -> str:
    """The file name of a tar's index."""
    return f"{tar.removesuffix('.tar')}.index"


def is_packed(root: Path) -> bool:
    """Whether a folder holds a packed corpus, complete or not."""
    if (root / PACK_NAME).is_file() or (root / UNFINISHED_NAME).is_file():
        return True
    return root.is_dir() and _has_index(root)


def _has_index(root: Path) -> bool:
    """Whether there is a tar with an index of Mynah's beside it."""
    for index in root.glob("*-000000.index"):
        if index.with_suffix(".tar").is_file():
            with suppress(UserError, OSError):
                read_head(index)
                return True
    return False


def read_pack(root: Path) -> Pack:
    """The packed corpus in a folder, complete.

    Raises:
        UserError: There is none; it is not finished, of another version, or not complete; or an
            index does not fit its shard.
    """
    where = str(root / PACK_NAME)
    if not (root / PACK_NAME).is_file():
        unfinished = read_json(root / UNFINISHED_NAME).get("command")
        if not unfinished and _has_index(root):
            raise UserError(
                f"The list of shards is missing: {PACK_NAME}. Without it nobody knows whether all "
                "of them are here.",
                where=str(root),
                fix="copy it again from where it is, or pack the corpus again: mynah data pack "
                "CORPUS --to OTHER_FOLDER",
            )
        raise UserError(
            "This corpus is not packed to its end."
            if unfinished
            else "There is no packed corpus here.",
            where=str(root),
            fix=str(unfinished or "mynah data pack CORPUS --to shards"),
        )
    held = read_json(root / PACK_NAME)
    if isinstance(version := held.get("version"), int) and version != VERSION:
        raise UserError(
            f"The shards were packed by another version of Mynah: theirs is format {version}, "
            f"and this one reads format {VERSION}.",
            where=where,
            fix="pack the corpus again: mynah data pack CORPUS --to OTHER_FOLDER",
        )
    try:
        splits = {name: _split(one) for name, one in held["splits"].items()}
        pack = Pack(
            held["corpus"],
            bool(held["has_splits"]),
            dict(held["statement"]),
            splits,
            channels=str(held.get("channels", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise UserError(
            f"The list of shards cannot be read: it is cut short or was edited ({problem}).",
            where=where,
            fix="copy it again from where it is intact",
        ) from problem
    for split in pack.splits.values():
        for shard in split.shards:
            _check_complete(root, shard)
    return pack


def _split(held: Mapping[str, Any]) -> PackedSplit:
    return PackedSplit(
        name=str(held["name"]),
        fingerprint=str(held["fingerprint"]),
        unreadable=int(held["unreadable"]),
        shards=tuple(_shard(one) for one in held["shards"]),
        statistics=Statistics.of_json(held["statistics"]),
    )


def _shard(held: Mapping[str, Any]) -> PackedShard:
    shard = PackedShard(**held)
    for number in (shard.bytes, shard.index_bytes, shard.rows):
        if not isinstance(number, int) or isinstance(number, bool):
            raise ValueError(f"{number!r} is not a whole number")
    if Path(shard.name).name != shard.name or not shard.name.endswith(".tar"):
        raise ValueError(f"{shard.name!r} is not the name of a shard")
    return shard


def _check_complete(root: Path, shard: PackedShard) -> None:
    for name, size in ((shard.name, shard.bytes), (shard.index, shard.index_bytes)):
        try:
            there = (root / name).stat().st_size
        except FileNotFoundError:
            raise UserError(
                f"A file of the packed corpus is missing: {name}.",
                where=str(root),
                fix=f"copy it again: {PACK_NAME} names all that belong together",
            ) from None
        if there != size:
            raise UserError(
                f"A file of the packed corpus is cut short or altered: {name} has {there:,} of "
                f"{size:,} bytes.",
                where=str(root),
                fix="copy it again from where it is intact",
            )
    head = read_head(root / shard.index)
    fits = (head.tar, head.sha256, head.rows) == (shard.name, shard.sha256, shard.rows)
    if not fits or (head.last is not None and not holds_member(root / shard.name, head.last)):
        raise _does_not_fit(root, shard, head)


def _does_not_fit(root: Path, shard: PackedShard, head: IndexHead) -> UserError:
    of = f": it is that of {head.tar}" if head.tar != shard.name else ""
    return UserError(
        f"The index {shard.index} does not fit its shard {shard.name}{of}.",
        where=str(root),
        fix=f"copy both again from one packed corpus; `sha256sum -c {SUMS_NAME}` in its folder "
        "names what is altered",
    )
