"""The columns of a corpus that lie beside a prepared table, in a file of their own.

They are not part of what an utterance is: where a listing changes in them, no recording is read
again, and no fingerprint changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from mynah.data.tables.shards import map_shard
from mynah.files import staged

COLUMNS_NAME = "columns"
RECORDING = "recording"  # the file that a packed row was in, from the corpus's folder on
OPTIONAL = (COLUMNS_NAME, RECORDING)  # texts that a table may have or not
_SCHEMA = pa.schema([(COLUMNS_NAME, pa.string())])
_BATCH_ROWS = 10_000


def columns_beside(directory: Path, columns: Sequence[str]) -> Path | None:
    """The file of the columns of a table's rows, written where it is not there.

    Args:
        directory: The table.
        columns: Of each row an object of JSON as text, "" where there is nothing.

    Returns:
        The file, or None where no row has any.
    """
    if not any(columns):
        return None
    digest = hashlib.blake2b("\x1f".join(columns).encode(), digest_size=8).hexdigest()
    file = directory.with_name(f"{directory.name}.columns-{digest}.arrow")
    if not _is_complete(file, len(columns)):
        with (
            staged(file) as beside,
            beside.open("wb") as sink,
            pa.ipc.new_stream(sink, _SCHEMA) as writer,
        ):
            for start in range(0, len(columns), _BATCH_ROWS):
                part = pa.array(columns[start : start + _BATCH_ROWS], pa.string())
                writer.write_batch(pa.RecordBatch.from_arrays([part], schema=_SCHEMA))
    return file


def _is_complete(file: Path, rows: int) -> bool:
    try:
        return bool(map_shard(file).num_rows == rows)
    except (OSError, pa.ArrowInvalid):
        return False
