"""The index of a tar: its rows as a prepared table has them, and where their bytes lie."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mynah.data.packed.statistics import Statistics
from mynah.data.packed.tar_shard import Member
from mynah.data.sentences import sentence_hashes
from mynah.data.tables.beside import COLUMNS_NAME, RECORDING
from mynah.data.tables.facts import AUDIO_DIGEST, LABEL_BOUND, SENTENCE
from mynah.data.tables.label_bounds import stored_label_bounds
from mynah.data.tables.shards import ROW_SCHEMA, TABLE_SCHEMA, map_shard, measured, regular_texts
from mynah.errors import UserError
from mynah.files import staged

_MORE = pa.schema(
    [
        (COLUMNS_NAME, pa.string()),
        (RECORDING, pa.string()),  # the file that it was packed from; null: it was in another
        # What a run would otherwise make of all transcripts and digests before its first step.
        (LABEL_BOUND, pa.int32()),
        (SENTENCE, pa.uint64()),
        (AUDIO_DIGEST, pa.uint64()),
    ]
)
INDEX_SCHEMA = pa.schema([*TABLE_SCHEMA, *_MORE])
_KEY = b"mynah"


@dataclass(frozen=True)
class IndexHead:
    """What an index says of itself, in front of its rows.

    Attributes:
        tar: File name of the tar whose rows it has.
        sha256: Of that tar.
        bytes: Of that tar.
        rows: How many rows there are.
        of: Fingerprint of the table that was packed.
        unreadable: Rows without a recording in the tar.
        lost: Ids of those that could be read when the table was made.
        last: The last recording in the tar; None where there is none.
    """

    tar: str
    sha256: str
    bytes: int
    rows: int
    of: str
    unreadable: int
    lost: tuple[str, ...]
    last: Member | None


def write_index(path: Path, rows: Sequence[dict[str, Any]], head: IndexHead) -> None:
    """Write an index: all of it is there at the end, or nothing.

    Args:
        path: Where it is to be.
        rows: With the columns of ``ROW_SCHEMA``, ``columns`` and ``recording``.
        head: What is written in front of them.

    Raises:
        OSError: It cannot be written there.
    """
    write_index_of([index_batch(rows)], path, head)


def index_batch(rows: Sequence[dict[str, Any]]) -> pa.RecordBatch:
    """Rows with all columns of an index."""
    batch = measured(pa.RecordBatch.from_pylist(list(rows), schema=ROW_SCHEMA))
    texts = regular_texts(batch.column("text"))
    digests = [int(row["digest"], 16) if row["digest"] else 0 for row in rows]
    more = [
        pa.array([row[COLUMNS_NAME] or None for row in rows], pa.string()),
        pa.array([row[RECORDING] for row in rows], pa.string()),
        pa.array(stored_label_bounds(texts).astype(np.int32)),
        pa.array(sentence_hashes(batch.column("text"))),
        pa.array(np.asarray(digests, dtype=np.uint64)),
    ]
    return pa.RecordBatch.from_arrays([*batch.columns, *more], schema=INDEX_SCHEMA)


def write_index_of(batches: Sequence[pa.RecordBatch], path: Path, head: IndexHead) -> None:
    """:func:`write_index` of rows that have all columns already."""
    content = {**asdict(head), "statistics": Statistics.of(batches).as_json()}
    schema = INDEX_SCHEMA.with_metadata({_KEY: json.dumps(content).encode()})
    with staged(path) as beside, beside.open("wb") as sink, pa.ipc.new_stream(sink, schema) as to:
        for batch in batches:
            to.write_batch(batch)


def read_head(path: Path) -> IndexHead:
    """What an index says of itself; its rows are not read.

    Raises:
        UserError: It cannot be read.
    """
    held = _metadata(path)
    try:
        last, lost = held.pop("last"), tuple(held.pop("lost"))
        held.pop("statistics")
        return IndexHead(**held, lost=lost, last=None if last is None else Member(**last))
    except (KeyError, TypeError) as problem:
        raise _unreadable(path, str(problem)) from problem


def read_statistics(path: Path) -> Statistics:
    """The statistics of an index's rows.

    Raises:
        UserError: It cannot be read.
    """
    try:
        return Statistics.of_json(_metadata(path)["statistics"])
    except (KeyError, TypeError, ValueError) as problem:
        raise _unreadable(path, str(problem)) from problem


def repeated_audio(indexes: Sequence[Path]) -> int:
    """Rows of some indexes whose recording an earlier row has, those without one not counted."""
    parts = [map_shard(path).column(AUDIO_DIGEST).to_numpy() for path in indexes]
    digests = np.concatenate(parts)
    digests = np.sort(digests[digests != 0])
    return int((digests[1:] == digests[:-1]).sum())


def _metadata(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            schema = pa.ipc.read_schema(pa.PythonFile(file, mode="r"))
        if not schema.equals(INDEX_SCHEMA):
            raise ValueError("its columns are of another version")
        held: dict[str, Any] = json.loads(schema.metadata[_KEY])
        return held
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError) as problem:
        raise _unreadable(path, str(problem)) from problem


def _unreadable(path: Path, reason: str) -> UserError:
    lines = reason.splitlines() or [""]
    return UserError(
        f"The index cannot be read: {lines[0][:120]}.",
        where=str(path),
        fix="copy it again from where it is intact, or pack the corpus again",
    )
