"""Rows of a parquet or Arrow file, a few at a time, never a full row group as Python objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from mynah.data.row import Row
from mynah.data.sources.reading.metadata import other_columns
from mynah.data.streams.reader import BadRow, FindAudio, listed_row, stream_columns
from mynah.data.streams.shard import Shard

_BATCH_ROWS = 16  # held as Python objects at once


def read_parquet(
    shard: Shard, start: int, *, audio: bool, columns: dict[str, str], find: FindAudio
) -> Iterator[Row | BadRow]:
    """Rows of a parquet file from ``start`` on; row groups before it are not read."""
    # Without mapping and read-ahead: memory is that of the batches, and counted as such.
    with (
        _opened(shard) as source,
        pyarrow.parquet.ParquetFile(source, memory_map=False, pre_buffer=False) as file,
    ):
        layout = _layout(file.schema_arrow, columns, str(shard))
        first, groups = 0, []
        for group in range(file.metadata.num_row_groups):
            if first + file.metadata.row_group(group).num_rows > start:
                groups = list(range(group, file.metadata.num_row_groups))
                break
            first += file.metadata.row_group(group).num_rows
        if not groups:
            return
        wanted = _wanted(file.schema_arrow, layout.names, audio)
        batches = file.iter_batches(_BATCH_ROWS, row_groups=groups, columns=wanted)
        yield from _rows(batches, first, start, layout, shard, find)


def read_arrow(
    shard: Shard, start: int, *, audio: bool, columns: dict[str, str], find: FindAudio
) -> Iterator[Row | BadRow]:
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
        layout = _layout(schema, columns, str(shard))
        wanted = _wanted(schema, layout.names, audio)
        yield from _rows((b.select(wanted) for b in batches), 0, start, layout, shard, find)


def _opened(shard: Shard) -> pa.NativeFile:
    return pa.OSFile(str(shard.path)) if shard.store is None else pa.PythonFile(shard.open(), "r")


@dataclass(frozen=True)
class _Layout:
    """What the columns of a table hold.

    Attributes:
        names: Our names of them.
        classes: The names of the classes of each column that holds their numbers.
    """

    names: dict[str, str]
    classes: dict[str, Sequence[str]]


def _layout(schema: pa.Schema, columns: dict[str, str], where: str) -> _Layout:
    """The audio is the column of bytes and path where headers vary.

    Raises:
        UserError: There is no audio or no transcript, or a column that ``columns`` names.
    """
    typed = [
        field.name
        for field in schema
        if pa.types.is_struct(field.type)
        and {"bytes", "path"} <= {field.type.field(i).name for i in range(field.type.num_fields)}
    ]
    of_bytes = (pa.types.is_binary, pa.types.is_large_binary)
    clips = typed + [f.name for f in schema if any(is_one(f.type) for is_one in of_bytes)]
    audio = typed[0] if typed else None
    names = stream_columns(schema.names, columns, where, audio=audio, clips=clips)
    return _Layout(names, _classes(schema))


def _classes(schema: pa.Schema) -> dict[str, Sequence[str]]:
    """The names of the classes of each column that is one, as ``datasets`` notes them."""
    if b"ClassLabel" not in (schema.metadata or {}).get(b"huggingface", b""):
        return {}
    import datasets

    return class_names(datasets.Features.from_arrow_schema(schema))


def class_names(features: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """The names of the classes of each column that holds their numbers.

    Args:
        features: Of a dataset.
    """
    import datasets

    return {
        name: kind.names for name, kind in features.items() if isinstance(kind, datasets.ClassLabel)
    }


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
    layout: _Layout,
    shard: Shard,
    find: FindAudio,
) -> Iterator[Row | BadRow]:
    place = first
    for batch in batches:
        skipped = min(max(start - place, 0), batch.num_rows)
        place += skipped
        for low in range(skipped, batch.num_rows, _BATCH_ROWS):
            for listed in batch.slice(low, _BATCH_ROWS).to_pylist():
                where = f"{shard}, row {place}"
                file, content = held_audio(listed.get(layout.names["audio"]))
                if file is not None:
                    file = find(file, where)
                yield listed_row(
                    listed,
                    layout.names,
                    fallback_id=f"{shard.path.stem}-{place:07d}",
                    source=shard.path.name,
                    where=where,
                    path=file,
                    content=content,
                    classes=layout.classes,
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
    found = "" if name is None else str(name)
    return (None, content) if content or not found.strip() else (found, None)
