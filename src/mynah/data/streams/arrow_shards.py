"""Rows of a parquet or Arrow file, a few at a time, never a full row group as Python objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from mynah.data.row import Row
from mynah.data.sources.reading.metadata import other_columns
from mynah.data.streams.reader import FindAudio, listed_row, stream_columns
from mynah.data.streams.shard import Shard

_BATCH_ROWS = 16  # held as Python objects at once


def read_parquet(
    shard: Shard, start: int, *, audio: bool, columns: dict[str, str], find: FindAudio
) -> Iterator[Row]:
    """Rows of a parquet file from ``start`` on; row groups before it are not read."""
    # Without mapping and read-ahead: memory is that of the batches, and counted as such.
    with (
        _opened(shard) as source,
        pyarrow.parquet.ParquetFile(source, memory_map=False, pre_buffer=False) as file,
    ):
        names = _names(file.schema_arrow, columns, str(shard))
        first, groups = 0, []
        for group in range(file.metadata.num_row_groups):
            if first + file.metadata.row_group(group).num_rows > start:
                groups = list(range(group, file.metadata.num_row_groups))
                break
            first += file.metadata.row_group(group).num_rows
        if not groups:
            return
        wanted = _wanted(file.schema_arrow, names, audio)
        batches = file.iter_batches(_BATCH_ROWS, row_groups=groups, columns=wanted)
        yield from _rows(batches, first, start, names, shard, find)


def read_arrow(
    shard: Shard, start: int, *, audio: bool, columns: dict[str, str], find: FindAudio
) -> Iterator[Row]:
    """Rows of an Arrow file or stream from ``start`` on."""
    with _opened(shard) as source:
        head = source.read(6)
        source.seek(0)
        if head == b"ARROW1":
            opened = pa.ipc.open_file(source)
            schema = opened.schema
            batches = (opened.get_batch(place) for place in range(opened.num_record_batches))
        else:
            stream = pa.ipc.open_stream(source)
            schema, batches = stream.schema, iter(stream)
        names = _names(schema, columns, str(shard))
        wanted = _wanted(schema, names, audio)
        yield from _rows((b.select(wanted) for b in batches), 0, start, names, shard, find)


def _opened(shard: Shard) -> pa.NativeFile:
    return pa.OSFile(str(shard.path)) if shard.store is None else pa.PythonFile(shard.open(), "r")


def _names(schema: pa.Schema, columns: dict[str, str], where: str) -> dict[str, str]:
    """Our names of the columns; the audio is the one of bytes and path where headers vary."""
    typed = [
        field.name
        for field in schema
        if pa.types.is_struct(field.type)
        and {"bytes", "path"} <= {field.type.field(i).name for i in range(field.type.num_fields)}
    ]
    return stream_columns(schema.names, columns, where, audio=typed[0] if typed else None)


def _wanted(schema: pa.Schema, names: dict[str, str], audio: bool) -> list[str]:
    """The columns that are read: those that have a name of ours, and other texts and numbers."""
    is_of_a_kind = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_boolean,
        pa.types.is_integer,
        pa.types.is_floating,
    )
    return [name for ours, name in names.items() if audio or ours != "audio"] + [
        name
        for name in other_columns(schema.names, names)
        if any(is_one(schema.field(name).type) for is_one in is_of_a_kind)
    ]


def _rows(
    batches: Iterator[pa.RecordBatch],
    first: int,
    start: int,
    names: dict[str, str],
    shard: Shard,
    find: FindAudio,
) -> Iterator[Row]:
    place = first
    for batch in batches:
        skipped = min(max(start - place, 0), batch.num_rows)
        place += skipped
        for low in range(skipped, batch.num_rows, _BATCH_ROWS):
            for listed in batch.slice(low, _BATCH_ROWS).to_pylist():
                file, content = held_audio(listed.get(names["audio"]))
                if file is not None:
                    file = find(file, f"{shard}, row {place}")
                yield listed_row(
                    listed,
                    names,
                    fallback_id=f"{shard.path.stem}-{place:07d}",
                    source=shard.path.name,
                    path=file,
                    content=content,
                )
                place += 1


def held_audio(held: Any) -> tuple[str | None, bytes | None]:
    """(path, bytes) of what an audio column holds: a struct of both, bytes, or a path."""
    if isinstance(held, dict):
        content, name = held.get("bytes"), held.get("path")
    elif isinstance(held, bytes | bytearray):
        content, name = bytes(held), None
    else:
        content, name = None, held
    return (None, content) if content or not name else (str(name), None)
