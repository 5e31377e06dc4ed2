"""Rows of a JSON Lines manifest that is too long to prepare, as NeMo writes them.

{"audio_filepath": "wav/0001.wav", "offset": 0.5, "duration": 3.2, "text": "…"}
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

from mynah.data.row import Row
from mynah.data.sources.reading import values
from mynah.data.streams.reader import BadRow, FindAudio, listed_row, stream_columns, word
from mynah.data.streams.shard import Shard
from mynah.errors import UserError

_KINDS = 100  # sets of keys that are remembered


def read_manifest(
    shard: Shard, start: int, *, audio: bool, columns: dict[str, str], find: FindAudio
) -> Iterator[Row | BadRow]:
    """Rows of a manifest from row ``start`` on; recordings stay where they are.

    Raises:
        UserError: The first row is none, or a path leaves the corpus.
    """
    known: dict[tuple[str, ...], dict[str, str]] = {}  # our names, by the keys of a row
    path = shard.path
    open_file: Any = gzip.open if path.suffix == ".gz" else open
    with open_file(path, "rb") as file:
        place = -1
        for line_number, line in enumerate(file, 1):
            if not line.strip():
                continue
            place += 1
            if place < start:
                continue
            where = f"{path}, line {line_number}"
            try:
                listed = _parsed(line, where)
                keys = tuple(listed)
                if keys not in known:
                    if len(known) > _KINDS:
                        known.clear()
                    known[keys] = stream_columns(keys, columns, where)
                values.text(listed.get(known[keys].get("text", "")), "transcript", where)
            except UserError as problem:
                if place == 0:
                    raise
                yield BadRow(f"{path.stem}-{place:07d}", f"{problem.what} ({where})")
                continue
            names = known[keys]
            yield listed_row(
                listed,
                names,
                fallback_id=f"{path.stem}-{place:07d}",
                source=path.name,
                path=find(word(listed, names, "audio"), where),
                content=None,
            )


def _parsed(line: bytes, where: str) -> dict[str, Any]:
    try:
        listed = json.loads(line)
    except ValueError as problem:
        raise UserError(
            f"This line is not JSON: {problem}",
            where=where,
            fix="a manifest has one JSON object a line",
        ) from problem
    if not isinstance(listed, dict):
        raise UserError(
            "This line is not a JSON object.", where=where, fix="a manifest has one object a line"
        )
    return listed
