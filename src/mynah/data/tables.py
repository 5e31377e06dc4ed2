"""Prepared corpora on disk: Arrow shards that are written whole, checked, and resumed.

    <cache>/<name>-<fingerprint>/shard-00000.arrow, …, table.json

While it is made the directory ends in ``.partial``; each shard in it is whole, so a
preparation that was killed goes on where it stopped. Only pyarrow is imported here, since
processes that write shards should start fast.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mynah.config.errors import UserError
from mynah.console import notice, say

if TYPE_CHECKING:
    import datasets

FORMAT_VERSION = 1  # of the columns and of how rows are checked; a part of every fingerprint
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("audio", pa.struct([("path", pa.string()), ("bytes", pa.binary())])),
        ("offset_seconds", pa.float64()),
        ("duration_seconds", pa.float64()),
        ("channel", pa.int32()),  # null: channels are mixed
        ("text", pa.string()),  # null: there is no transcript
        ("speaker", pa.string()),
        ("language", pa.string()),
        ("source", pa.string()),
        ("digest", pa.string()),  # of the audio's bytes
        ("error", pa.string()),  # why the audio cannot be read; null: it can
    ]
)
_BATCH_ROWS = 100


@dataclass(frozen=True)
class Table:
    """A whole prepared table.

    Attributes:
        directory: Where it lies.
        shards: Its Arrow stream files, in order.
        about: What was written beside it.
        audio: A datasets.Dataset with the column ``audio`` of the same rows, where the
            recordings lie elsewhere; None: in the table's own column.
    """

    directory: Path
    shards: tuple[Path, ...]
    about: dict[str, Any]
    audio: Any = None

    def dataset(self) -> datasets.Dataset:
        """All rows, memory-mapped."""
        import datasets

        whole = datasets.concatenate_datasets(
            [datasets.Dataset.from_file(str(path)) for path in self.shards]
        )
        if self.audio is None:
            return whole
        return datasets.concatenate_datasets([whole.remove_columns("audio"), self.audio], axis=1)


def cache_directory(configured: str | None, working_directory: Path) -> Path:
    """Where prepared tables are kept: the setting, ``$MYNAH_CACHE``, or ``~/.cache/mynah``."""
    if configured:
        return (working_directory / Path(configured).expanduser()).resolve()
    if os.environ.get("MYNAH_CACHE"):
        return Path(os.environ["MYNAH_CACHE"]).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "mynah"


def open_or_make(
    directory: Path,
    shards: int,
    make: Callable[[Path, list[int]], None],
    about: Callable[[], dict[str, Any]],
) -> Table:
    """The table at ``directory``, made first where it is not there or not whole.

    Args:
        directory: Its final place; the name holds the fingerprint of the content.
        shards: How many shards it has.
        make: Called with the directory to write to and the shards that are missing.
        about: Called at the end: what table.json holds beside the sizes.

    Raises:
        UserError: It cannot be written there.
    """
    try:
        return _locked(directory, shards, make, about)
    except OSError as problem:
        raise UserError(
            f"The prepared corpus cannot be written: {problem.strerror or problem}.",
            where=str(directory),
            fix="Make room there, or choose another place: data.dataset_cache_dir=FOLDER. "
            "What is done is kept.",
        ) from problem


def _locked(
    directory: Path,
    shards: int,
    make: Callable[[Path, list[int]], None],
    about: Callable[[], dict[str, Any]],
) -> Table:
    import filelock

    directory.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(f"{directory}.lock")
    try:
        lock.acquire(timeout=0.2)
    except filelock.Timeout:
        say(f"Waiting for another process that prepares {directory.name}")
        lock.acquire()
    try:
        return _opened(directory) or _made(directory, shards, make, about)
    finally:
        lock.release()


def _made(
    directory: Path,
    shards: int,
    make: Callable[[Path, list[int]], None],
    about: Callable[[], dict[str, Any]],
) -> Table:
    partial = directory.with_name(directory.name + ".partial")
    if directory.exists():
        notice(f"The prepared table {directory} is cut short or altered: it is made again.")
        shutil.rmtree(partial, ignore_errors=True)
        directory.rename(partial)
        (partial / "table.json").unlink(missing_ok=True)
    partial.mkdir(exist_ok=True)
    missing = [number for number in range(shards) if not _readable(shard(partial, number))]
    if 0 < len(missing) < shards:
        say(f"Going on with an interrupted preparation: {len(missing)} of {shards} parts left")
    if missing:
        make(partial, missing)
    paths = [shard(partial, number) for number in range(shards)]
    sizes = {path.name: path.stat().st_size for path in paths}
    content = json.dumps({"shards": sizes, "about": about()}, indent=1)
    write_whole(partial / "table.json", content.encode())
    partial.rename(directory)
    return Table(directory, tuple(shard(directory, number) for number in range(shards)), about())


def shard(directory: Path, number: int) -> Path:
    """Path of one shard."""
    return directory / f"shard-{number:05d}.arrow"


def write_shard(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write rows as an Arrow stream under a temporary name, sync it, rename it."""
    temporary = path.with_suffix(".writing")
    count = 0
    with temporary.open("wb") as sink:
        with pa.ipc.new_stream(sink, SCHEMA) as writer:
            batch: list[dict[str, Any]] = []
            for row in rows:
                batch.append(row)
                count += 1
                if len(batch) == _BATCH_ROWS:
                    writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=SCHEMA))
                    batch = []
            if batch:
                writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=SCHEMA))
        sink.flush()
        os.fsync(sink.fileno())
    temporary.replace(path)
    return count


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, sync it, rename it."""
    temporary = path.with_name(path.name + ".writing")
    with temporary.open("wb") as sink:
        sink.write(content)
        sink.flush()
        os.fsync(sink.fileno())
    temporary.replace(path)


def _opened(directory: Path) -> Table | None:
    try:
        held = json.loads((directory / "table.json").read_text(encoding="utf-8"))
        for name, size in held["shards"].items():
            if (directory / name).stat().st_size != size:
                return None
    except (OSError, ValueError, KeyError):
        return None
    return Table(directory, tuple(directory / name for name in held["shards"]), held["about"])


def _readable(path: Path) -> bool:
    try:
        with pa.memory_map(str(path)) as source:
            pa.ipc.open_stream(source).read_all()
    except (OSError, pa.ArrowInvalid):
        return False
    # A stream cut at the end of a batch reads well: only the end mark tells.
    with path.open("rb") as file:
        file.seek(-8, os.SEEK_END)
        return file.read() == b"\xff\xff\xff\xff\x00\x00\x00\x00"
