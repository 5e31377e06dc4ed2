"""Prepared corpora on disk: Arrow shards that are complete or absent, checked, and resumed.

    <cache>/<name>-<fingerprint>/shard-00000.arrow, …, table.json

While it is made the directory ends in ``.partial``; each shard in it is complete, so a
preparation that was killed resumes where it stopped. Only pyarrow is imported here, since
processes that write shards should start fast.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mynah.console import notice, say
from mynah.data.tables import beside
from mynah.data.tables.shards import (
    FORMAT_VERSION,
    MappedShard,
    content_fingerprint,
    is_complete_shard,
    map_shard,
    write_shard,
)
from mynah.errors import UserError
from mynah.files import remove_staged, sha256, user_cache, write_json

__all__ = [
    "FORMAT_VERSION",
    "Table",
    "cache_directory",
    "locked",
    "open_or_make",
    "open_table",
    "shard",
    "write_shard",
]

_NOT_SENT = ("arrow", "_mapped")  # to another process, which maps the same files


@dataclass(frozen=True)
class Table:
    """A complete prepared table. It can be pickled: what is sent is where it lies.

    Attributes:
        directory: Where it lies.
        shards: Its Arrow stream files, in order.
        about: What was written beside it.
        fingerprint: Of the content of its rows, in their order; not of where they lie.
        audio: A datasets.Dataset with the column ``audio`` of the same rows, where the
            recordings lie elsewhere; None: in the table's own column.
        columns: The file of what else the corpus says of the same rows; None: nothing.
        folder: What the paths in it are relative to; None: they are absolute.
    """

    directory: Path
    shards: tuple[Path, ...]
    about: dict[str, Any]
    fingerprint: str = ""
    audio: Any = None
    columns: Path | None = None
    folder: Path | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in _NOT_SENT}

    @cached_property
    def arrow(self) -> pa.Table:
        """All rows, memory-mapped, with the columns of ``TABLE_SCHEMA``, and ``columns`` where
        there are more."""
        rows = pa.concat_tables([shard.rows for shard in self._mapped])
        if self.columns is not None:
            rows = rows.append_column(
                beside.COLUMNS_NAME, map_shard(self.columns).column(beside.COLUMNS_NAME)
            )
        if self.audio is None:
            return rows
        named = pc.struct_field(rows.column("audio"), "path")
        recordings = _with_paths(self.audio.data.table.column("audio"), named)
        return rows.set_column(rows.column_names.index("audio"), "audio", recordings)

    @cached_property
    def _mapped(self) -> list[MappedShard]:
        return [MappedShard.of(path) for path in self.shards]

    def release(self) -> None:
        """Let go of what was read of the shards: it is read again where it is asked for."""
        for shard in self._mapped:
            shard.release()

    def __len__(self) -> int:
        return int(self.arrow.num_rows)


def _with_paths(recordings: pa.ChunkedArray, named: pa.ChunkedArray) -> pa.ChunkedArray:
    """Recordings as bytes and path; no recording is copied.

    Args:
        recordings: Of a dataset: bytes and path, or bytes alone.
        named: The files of those that lie beside the dataset, null for the others.
    """
    is_struct = pa.types.is_struct(recordings.type)
    if is_struct and named.null_count == len(named):
        return recordings
    made, start = [], 0
    kind = recordings.type.field("bytes").type if is_struct else recordings.type
    for chunk in recordings.chunks:
        paths = pa.chunked_array(
            named.slice(start, len(chunk)).chunks, pa.string()
        ).combine_chunks()
        if is_struct:
            paths = pc.coalesce(paths, pc.struct_field(chunk, "path").cast(pa.string()))
        held = pc.struct_field(chunk, "bytes") if is_struct else chunk
        made.append(pa.StructArray.from_arrays([held, paths], ["bytes", "path"]))
        start += len(chunk)
    return pa.chunked_array(made, pa.struct({"bytes": kind, "path": pa.string()}))


def cache_directory(configured: str | None, working_directory: Path) -> Path:
    """Where prepared tables are kept: the setting, ``$MYNAH_CACHE``, or ``~/.cache/mynah``."""
    if configured:
        return (working_directory / Path(configured).expanduser()).resolve()
    return user_cache()


def open_or_make(
    directory: Path,
    shards: int,
    make: Callable[[Path, list[int]], None],
    about: Callable[[], dict[str, Any]],
) -> Table:
    """The table at ``directory``, made first where it is not there or not complete.

    Args:
        directory: Its final place; the name holds the fingerprint of what it is made from.
        shards: How many shards it has.
        make: Called with the directory to write to and the shards that are missing.
        about: Called at the end: what table.json holds beside the sizes.

    Raises:
        UserError: It cannot be written there.
    """
    with locked(directory):
        return open_table(directory) or _made(directory, shards, make, about)


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Be the only process that writes this directory; a disk that is full is a UserError.

    Raises:
        UserError: It cannot be written there.
    """
    import filelock

    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(f"{directory}.lock")
        try:
            lock.acquire(timeout=0.2)
        except filelock.Timeout:
            say(f"Waiting for another process that prepares {directory.name}")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()
    except OSError as problem:
        raise UserError(
            f"The prepared corpus cannot be written: {problem.strerror or problem}.",
            where=str(directory),
            fix="Make room there, or choose another place: data.dataset_cache_dir=FOLDER. "
            "What is done is kept.",
        ) from problem


def open_table(directory: Path) -> Table | None:
    """The table at ``directory``; None where it is not there, incomplete or of another version."""
    try:
        held = json.loads((directory / "table.json").read_text(encoding="utf-8"))
        for name, size in held["shards"].items():
            if (directory / name).stat().st_size != size:
                return None
        if _altered(directory, held):
            return None
        if held["version"] != FORMAT_VERSION:
            return None
        paths = tuple(directory / name for name in held["shards"])
        return Table(directory, paths, held["about"], held["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _altered(directory: Path, held: dict[str, Any]) -> list[str]:
    """Shards that hold something else than was written, whatever their size.

    Only one whose time of change is another is read for that: a table may hold days of audio.

    Args:
        directory: The table.
        held: Its table.json; one of an earlier version of Mynah has no sums.
    """
    return [
        name
        for name, changed in held.get("changed", {}).items()
        if (directory / name).stat().st_mtime_ns != changed
        and sha256(directory / name) != held["sums"][name]
    ]


def _made(
    directory: Path,
    shards: int,
    make: Callable[[Path, list[int]], None],
    about: Callable[[], dict[str, Any]],
) -> Table:
    partial = directory.with_name(directory.name + ".partial")
    if directory.exists():
        notice(f"The prepared table {directory} {_what_is_wrong(directory)}: it is made again.")
        shutil.rmtree(partial, ignore_errors=True)
        directory.rename(partial)
        _remove_altered(partial)
        (partial / "table.json").unlink(missing_ok=True)
    partial.mkdir(exist_ok=True)
    missing = [number for number in range(shards) if not is_complete_shard(shard(partial, number))]
    if 0 < len(missing) < shards:
        say(f"Resuming an interrupted preparation: {len(missing)} of {shards} parts left")
    if missing:
        make(partial, missing)
    paths = [shard(partial, number) for number in range(shards)]
    content = {
        "version": FORMAT_VERSION,
        "fingerprint": content_fingerprint(paths),
        "shards": {path.name: path.stat().st_size for path in paths},
        "changed": {path.name: path.stat().st_mtime_ns for path in paths},
        "sums": {path.name: sha256(path) for path in paths},
        "about": about(),
    }
    write_json(partial / "table.json", content, indent=1)
    remove_staged(partial)
    partial.rename(directory)
    made = open_table(directory)
    assert made is not None
    return made


def _remove_altered(partial: Path) -> None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        held = json.loads((partial / "table.json").read_text(encoding="utf-8"))
        for name in _altered(partial, held):
            (partial / name).unlink()


def _what_is_wrong(directory: Path) -> str:
    try:
        held = json.loads((directory / "table.json").read_text(encoding="utf-8"))
        if held["version"] != FORMAT_VERSION:
            return "was made by another version of Mynah"
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return "is cut short or altered"


def shard(directory: Path, number: int) -> Path:
    """Path of one shard."""
    return directory / f"shard-{number:05d}.arrow"
