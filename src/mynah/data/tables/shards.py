"""One shard of a prepared table: its columns, how it is written, mapped and fingerprinted."""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mynah.data.scripts import scripts_of
from mynah.errors import UserError
from mynah.files import staged

FORMAT_VERSION = 4  # of the columns and of how rows are checked
ROW_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("audio", pa.struct([("path", pa.string()), ("bytes", pa.binary())])),
        ("byte_offset", pa.int64()),  # null: the path is the audio file itself, and no shard
        ("byte_length", pa.int64()),
        ("offset_seconds", pa.float64()),
        ("duration_seconds", pa.float64()),
        ("channel", pa.int32()),  # null: channels are mixed
        ("text", pa.string()),  # null: there is no transcript
        ("speaker", pa.string()),
        ("language", pa.string()),
        ("context", pa.string()),  # names and terms that may be said
        ("source", pa.string()),
        ("no_speech", pa.bool_()),  # null: false
        ("digest", pa.string()),  # of the audio's bytes
        ("error", pa.string()),  # why the audio cannot be read; null: it can
    ]
)
# Of the transcript in Unicode NFC with single spaces; filters need no text then.
_MEASURED = pa.schema(
    [
        ("characters", pa.int32()),
        ("words", pa.int32()),
        ("regular", pa.bool_()),  # whether the transcript is in that form
        ("script", pa.int8()),  # of its letters, as data/scripts.py numbers them
    ]
)
TABLE_SCHEMA = pa.schema([*ROW_SCHEMA, *_MEASURED])
# What an utterance is, wherever it lies.
_CONTENT = (
    "id", "text", "offset_seconds", "duration_seconds", "channel", "no_speech", "digest",
)  # fmt: skip
_BATCH_ROWS = 10_000
_BATCH_BYTES = 8 << 20  # of audio: what is held in memory before it is written
_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_SPACES = "[\\t-\\r\\x1c-\\x20\\x{85}\\pZ]+"  # what Python calls white space


def write_shard(path: Path, rows: Iterable[dict[str, Any] | pa.RecordBatch]) -> int:
    """Write rows as an Arrow stream: all of it is there at the end, or nothing.

    Args:
        path: Where it is to be.
        rows: With the columns of ``SCHEMA``, but for those that are measured here: one by
            one, or many in a batch. Columns that are absent are null.

    Returns:
        How many rows were written.
    """
    count = 0
    with (
        staged(path) as beside,
        beside.open("wb") as sink,
        pa.ipc.new_stream(sink, TABLE_SCHEMA) as writer,
    ):
        for batch in _batches(rows):
            writer.write_batch(measured(batch))
            count += batch.num_rows
    return count


def _batches(rows: Iterable[dict[str, Any] | pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    held: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        if isinstance(row, pa.RecordBatch):
            yield _with_all_columns(row)
            continue
        held.append(row)
        size += len((row.get("audio") or {}).get("bytes") or b"")
        if len(held) == _BATCH_ROWS or size > _BATCH_BYTES:
            yield pa.RecordBatch.from_pylist(held, schema=ROW_SCHEMA)
            held, size = [], 0
    if held:
        yield pa.RecordBatch.from_pylist(held, schema=ROW_SCHEMA)


def _with_all_columns(batch: pa.RecordBatch) -> pa.RecordBatch:
    there = set(batch.schema.names)
    columns = [
        batch.column(field.name).cast(field.type)
        if field.name in there
        else pa.nulls(batch.num_rows, field.type)
        for field in ROW_SCHEMA
    ]
    return pa.RecordBatch.from_arrays(columns, schema=ROW_SCHEMA)


def regular_texts(text: pa.Array) -> pa.Array:
    """Transcripts in Unicode NFC with single spaces; "" for null."""
    filled = pc.fill_null(text, "")
    return pc.utf8_trim(
        pc.replace_substring_regex(pc.utf8_normalize(filled, "NFC"), _SPACES, " "), " "
    )


def measured(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Rows with the columns that are measured of their transcripts.

    Args:
        batch: With the columns of ``ROW_SCHEMA``.
    """
    text = pc.fill_null(batch.column("text"), "")
    made = regular_texts(text)
    characters = pc.utf8_length(made)
    words = pc.if_else(
        pc.greater(characters, 0), pc.add(pc.count_substring(made, " "), 1), pa.scalar(0)
    )
    found = [characters, words, pc.equal(made, text), pa.array(scripts_of(made))]
    columns = [column.cast(field.type) for column, field in zip(found, _MEASURED, strict=True)]
    return pa.RecordBatch.from_arrays([*batch.columns, *columns], schema=TABLE_SCHEMA)


def map_shard(path: Path) -> pa.Table:
    """A shard's rows, memory-mapped."""
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_stream(source).read_all()


@dataclass(frozen=True)
class MappedShard:
    """A shard's rows in mapped memory that can be given back.

    Attributes:
        rows: The rows.
        memory: Of the file.
    """

    rows: pa.Table
    memory: mmap.mmap

    @classmethod
    def of(cls, path: Path) -> MappedShard:
        """Map a file.

        Raises:
            UserError: It is damaged.
        """
        try:
            with path.open("rb") as file:
                memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            rows = pa.ipc.open_stream(pa.BufferReader(pa.py_buffer(memory))).read_all()
        except (OSError, ValueError) as problem:  # of Arrow are both
            reason = (str(problem).splitlines() or [""])[0][:120]
            raise UserError(
                f"A file of rows cannot be read: {reason}.",
                where=str(path),
                fix="copy it again from where it is intact, or remove it where it lies in a cache",
            ) from problem
        return cls(rows, memory)

    def release(self) -> None:
        """Let go of the pages that were read, where the system can; the rows stay what they are."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self.memory.madvise(mmap.MADV_DONTNEED)


def is_complete_shard(path: Path) -> bool:
    """Whether a shard is there, written to its end, with the columns of this version."""
    try:
        if not map_shard(path).schema.equals(TABLE_SCHEMA):
            return False
        # A stream cut at the end of a batch reads well: only the end mark tells.
        with path.open("rb") as file:
            file.seek(-len(_END), os.SEEK_END)
            return file.read() == _END
    except (OSError, pa.ArrowInvalid):
        return False


def content_fingerprint(shards: Sequence[Path]) -> str:
    """Of ids, transcripts and audio in their order, however they are cut into shards."""
    digests: dict[tuple[str, int], Any] = {}
    for path in shards:
        for batch in map_shard(path).select(list(_CONTENT)).to_batches():
            for name in _CONTENT:
                for number, content in enumerate(_plain(batch.column(name))):
                    key = (name, number)
                    digests.setdefault(key, hashlib.blake2b(digest_size=16)).update(content)
    joined = hashlib.blake2b(digest_size=16)
    for key in sorted(digests):
        joined.update(digests[key].digest())
    return joined.hexdigest()


def _plain(values: pa.Array) -> tuple[bytes | memoryview, ...]:
    """An array's values as bytes that hang on nothing but them."""
    if pa.types.is_string(values.type):
        lengths = pc.fill_null(pc.binary_length(values), -1).to_numpy().astype(np.int64)
        _, offsets, letters = pc.fill_null(values, "").buffers()
        first = values.offset if values.null_count == 0 else 0
        ends = np.frombuffer(offsets, dtype=np.int32)[first : first + len(values) + 1]
        text = memoryview(letters)[ends[0] : ends[-1]] if letters and len(values) else b""
        return lengths.tobytes(), text
    if pa.types.is_boolean(values.type):
        return (pc.fill_null(values, False).to_numpy(zero_copy_only=False).tobytes(),)
    return (pc.fill_null(values, -1).to_numpy().astype(np.float64).tobytes(),)
