"""``mynah data pack``: a corpus to tar shards of one size, each with its index."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mynah.console import Advance, notice, progress, say
from mynah.data.corpus import Corpus
from mynah.data.packed.index import (
    IndexHead,
    read_head,
    read_statistics,
    repeated_audio,
    write_index,
)
from mynah.data.packed.layout import (
    PACK_NAME,
    UNFINISHED_NAME,
    Pack,
    PackedShard,
    PackedSplit,
    index_name,
    read_pack,
    shard_name,
)
from mynah.data.packed.samples import Sample, sample_of
from mynah.data.packed.statistics import Statistics
from mynah.data.packed.tar_shard import Member, TarShard
from mynah.data.tables.beside import COLUMNS_NAME, RECORDING
from mynah.data.tables.shards import ROW_SCHEMA
from mynah.data.tables.table import Table
from mynah.errors import UserError
from mynah.files import read_json, remove_staged, sha256, staged, write_json

_BLOCK_ROWS = 256  # that are read at the same time: what is held in memory
_NAMED = 5  # recordings named in a notice
_MOST_ROWS = 100_000  # of a shard: an index of short clips stays small
_COLUMNS = [field.name for field in ROW_SCHEMA if field.name != "audio"]


@dataclass(frozen=True)
class Packing:
    """What is packed, and where to.

    Attributes:
        corpus: What the corpus is called.
        root: Its folder: recordings are named from there.
        has_splits: Whether it tells itself what is for training and what is not.
        statement: What it says of how training and evaluation differ.
        tables: The prepared table of each split, by name.
        channels: ``data.channels``, under which they were prepared; "": not known.
        to: The folder of the shards.
        shard_bytes: How large a shard is at most, unless one recording is larger.
        processes: How many threads read recordings.
        command: What resumes it.
    """

    corpus: str
    root: str
    has_splits: bool
    statement: dict[str, Any]
    tables: dict[str, Table]
    channels: str
    to: Path
    shard_bytes: int
    processes: int
    command: str


def pack(packing: Packing) -> Pack:
    """Write the shards that are not there yet, then ``pack.json``.

    Raises:
        UserError: The folder holds something else or cannot be written, or another process
            packs there.
    """
    import filelock

    to = packing.to
    try:
        to.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{to}.lock", timeout=0.2) as lock:
            try:
                done = _begun(packing)
                if done is not None:
                    return done
                remove_staged(to)
                splits = {name: _split(packing, name) for name in packing.tables}
                made = Pack(
                    packing.corpus,
                    packing.has_splits,
                    packing.statement,
                    splits,
                    channels=packing.channels,
                )
                made.write(to)
            finally:
                with suppress(OSError):  # Windows removes no file that is open
                    Path(lock.lock_file).unlink()
    except filelock.Timeout:
        raise UserError("Another process is packing into this folder.", where=str(to)) from None
    except OSError as problem:
        raise UserError(
            f"The shards cannot be written: {problem.strerror or problem}.",
            where=str(to),
            fix="make room there or name another folder, then run it again: finished shards are "
            f"kept.\n  run:   {packing.command}",
        ) from problem
    return read_pack(to)


def _begun(packing: Packing) -> Pack | None:
    """The packed corpus where it is there already; else the folder is marked as begun.

    Raises:
        UserError: The folder holds another corpus, or other files.
    """
    to = packing.to
    of = {name: [table.fingerprint, len(table)] for name, table in packing.tables.items()}
    if (to / PACK_NAME).is_file():
        there = read_pack(to)
        held = {name: [_packed_from(to, split), split.rows] for name, split in there.splits.items()}
        if held != of:
            raise _holds_another(to)
        say(f"{to} holds this corpus already, packed to its end.")
        if there.channels != packing.channels:  # the rows are the same under both
            there = dataclasses.replace(there, channels=packing.channels)
            there.write(to)
        return there
    about = {"tables": of, "shard_bytes": packing.shard_bytes}
    before = read_json(to / UNFINISHED_NAME)
    if before and before.get("about") != about:
        raise _holds_another(to)
    if not before:
        if any(not one.name.startswith(".") for one in to.iterdir()):
            raise UserError(
                "The folder for the shards is not empty.",
                where=str(to),
                fix="name a new folder: --to OTHER_FOLDER",
            )
        write_json(to / UNFINISHED_NAME, {"about": about, "command": packing.command})
    return None


def _packed_from(to: Path, split: PackedSplit) -> str:
    """Fingerprint of the table that a split was packed from."""
    return read_head(to / split.shards[0].index).of


def _holds_another(to: Path) -> UserError:
    return UserError(
        "The folder holds shards of another corpus, of this one before it changed, or of another "
        "size.",
        where=str(to),
        fix="name another folder: --to OTHER_FOLDER",
    )


def _split(packing: Packing, name: str) -> PackedSplit:
    """Pack a split, from the first row on that is in no finished shard."""
    table = packing.tables[name]
    finished = list(_finished(packing, name))
    start = sum(head.rows for head in finished)
    if finished:
        say(f"Resuming {name}: {len(finished):,} shards are finished, {start:,} rows in them")
    bad: list[Sample] = []
    with (
        progress(f"Packing {name}", len(table) - start, "rows") as advance,
        concurrent.futures.ThreadPoolExecutor(packing.processes) as pool,
    ):
        samples = _Ahead(_samples(table, name, start, pool, bad))
        number = len(finished)
        while samples.next is not None or not number:
            finished.append(_write_shard(packing, name, number, samples, advance))
            number += 1
    _tell(name, bad)
    return _described(packing, name, finished)


def _finished(packing: Packing, split: str) -> Iterator[IndexHead]:
    """The heads of a split's finished shards: a tar with its index, of this table."""
    number = 0
    while True:
        tar = packing.to / shard_name(split, number)
        try:
            head = read_head(packing.to / index_name(tar.name))
            there = tar.stat().st_size == head.bytes
        except (UserError, OSError):
            return
        if not there or head.of != packing.tables[split].fingerprint:
            return
        yield head
        number += 1


def _described(packing: Packing, split: str, heads: Sequence[IndexHead]) -> PackedSplit:
    """What ``pack.json`` says of a split whose shards are all there."""
    shards = []
    for head in heads:
        index = packing.to / index_name(head.tar)
        shards.append(
            PackedShard(
                head.tar, head.rows, head.bytes, head.sha256, index.stat().st_size, sha256(index)
            )
        )
    parts = [read_statistics(packing.to / index_name(head.tar)) for head in heads]
    lost = sorted(row for head in heads for row in head.lost)
    fingerprint = packing.tables[split].fingerprint
    if lost:  # it was read when the table was made, and is another corpus without it
        fingerprint = hashlib.blake2b(f"{fingerprint} {lost}".encode(), digest_size=16).hexdigest()
    unreadable = sum(head.unreadable for head in heads)
    repeated = repeated_audio([packing.to / index_name(head.tar) for head in heads])
    statistics = dataclasses.replace(Statistics.joined(parts), repeated_audio=repeated)
    return PackedSplit(split, fingerprint, unreadable, tuple(shards), statistics)


class _Ahead:
    """Samples with a look at the next one."""

    def __init__(self, samples: Iterator[Sample]) -> None:
        self._samples = samples
        self.next = next(samples, None)

    def take(self) -> Sample:
        taken = self.next
        assert taken is not None
        self.next = next(self._samples, None)
        return taken


def _samples(
    table: Table,
    split: str,
    start: int,
    pool: concurrent.futures.Executor,
    bad: list[Sample],
) -> Iterator[Sample]:
    """The rows of a table from one on, read by several threads, in their order."""
    corpus = Corpus.of_table(table, name=split, sample_rate=16000)
    columns = [*_COLUMNS, *({COLUMNS_NAME, RECORDING} & set(table.arrow.column_names))]
    for first in range(start, len(table), _BLOCK_ROWS):
        rows = table.arrow.select(columns).slice(first, _BLOCK_ROWS).to_pylist()
        places = range(first, first + len(rows))
        said = [{COLUMNS_NAME: None, RECORDING: None} | row for row in rows]
        for sample in pool.map(lambda place, row: sample_of(corpus, place, row), places, said):
            if sample.problem:
                bad.append(sample)
            yield sample


def _write_shard(
    packing: Packing, split: str, number: int, samples: _Ahead, advance: Advance
) -> IndexHead:
    """One tar and its index, from the next samples on."""
    path = packing.to / shard_name(split, number)
    rows: list[dict[str, Any]] = []
    lost: list[str] = []
    last: Member | None = None
    with staged(path) as beside, beside.open("wb") as sink:
        tar = TarShard(sink)
        while (sample := samples.next) is not None and len(rows) < _MOST_ROWS:
            contents = [] if sample.audio is None else [sample.audio, sample.said]
            if rows and tar.size_with(contents) > packing.shard_bytes:
                break
            samples.take()
            member = None
            if sample.audio is not None:
                member = tar.add(f"{len(rows):09d}.{sample.ending}", sample.audio)
                tar.add(f"{len(rows):09d}.json", sample.said)
            elif sample.problem:
                lost.append(sample.row["id"])
            rows.append(_index_row(sample, path.name, member, packing.root))
            last = member or last
            advance()
        digest, size = tar.end(), tar.size
    head = IndexHead(
        tar=path.name,
        sha256=digest,
        bytes=size,
        rows=len(rows),
        of=packing.tables[split].fingerprint,
        unreadable=sum(row["error"] is not None for row in rows),
        lost=tuple(lost),
        last=last,
    )
    write_index(packing.to / index_name(path.name), rows, head)
    return head


def _index_row(sample: Sample, tar: str, member: Member | None, root: str) -> dict[str, Any]:
    """A row as the index has it: its audio is all of a member, or nowhere."""
    recording = sample.recording
    return {
        **sample.row,
        "audio": {"path": tar if member else None, "bytes": None},
        "byte_offset": member.byte_offset if member else None,
        "byte_length": member.byte_length if member else None,
        "offset_seconds": 0.0,
        "duration_seconds": sample.row["duration_seconds"] if member else 0.0,
        "channel": None,
        "digest": sample.row["digest"] if member else "",
        "error": sample.problem or sample.row["error"],
        RECORDING: recording and recording.removeprefix(root),
    }


def _tell(split: str, bad: Sequence[Sample]) -> None:
    if not bad:
        return
    named = "; ".join(f"{one.row['id']}: {one.problem}" for one in bad[:_NAMED])
    more = f" and {len(bad) - _NAMED:,} more" if len(bad) > _NAMED else ""
    notice(
        f"{len(bad):,} recordings of {split} cannot be read and are not in its shards: {named}"
        f"{more}. A training leaves them out, and an evaluation counts them."
    )
