"""Rows of a JSON Lines manifest that is too long to prepare, as NeMo writes them.

{"audio_filepath": "wav/0001.wav", "offset": 0.5, "duration": 3.2, "text": "…"}
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from mynah.data.row import Row
from mynah.data.sources.nemo import SKIPPED, is_line
from mynah.data.sources.reading import values
from mynah.data.streams.reader import BadRow, FindAudio, listed_row, stream_columns
from mynah.data.streams.shard import Shard
from mynah.errors import UserError

_KINDS = 100  # sets of keys that are remembered


def read_manifest(
    shard: Shard, start: int, *, audio: bool, columns: dict[str, str], find: FindAudio
) -> Iterator[Row | BadRow]:
    """Rows of a manifest from row ``start`` on; recordings stay where they are.

    Raises:
        UserError: A path leaves the corpus.
    """
    known = ManifestColumns(columns)
    path = shard.path
    place = -1
    for line_number, line in shard.lines():
        if not line.strip():
            continue
        place += 1
        if place < start:
            continue
        where = f"{path}, line {line_number}"
        try:
            listed, names = known.parsed(line, where)
        except UserError as problem:
            yield BadRow(f"{path.stem}-{place:07d}", f"{problem.what} ({where})", problem)
            continue
        row = listed_row(
            without_skipped(listed, names),
            names,
            fallback_id=f"{path.stem}-{place:07d}",
            source=path.name,
            where=where,
            path=None,
            content=None,
            cuts=is_line(listed),
        )
        yield row if isinstance(row, BadRow) else _found(row, listed, names, where, find)


def _found(
    row: Row, listed: dict[str, Any], names: dict[str, str], where: str, find: FindAudio
) -> Row | BadRow:
    """A row with the path of its recording; a bad one where none is named."""
    try:
        name = audio_name(listed, names, where)
    except UserError as problem:
        return BadRow(row.id, f"{problem.what} ({where})")
    return replace(row, path=find(name, where))


def without_skipped(listed: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """A line without what it says of its speech, where NeMo passes it over."""
    if not listed.get(SKIPPED):
        return listed
    of_speech = (names.get("text"), names.get("no_speech"))
    return {name: held for name, held in listed.items() if name not in of_speech}


def audio_name(listed: dict[str, Any], names: dict[str, str], where: str) -> str:
    """How a line names its recording.

    Raises:
        UserError: It names none.
    """
    name = values.text(listed.get(names["audio"]), "name of the audio file", where).strip()
    if not name:
        raise UserError("No audio file is named here.", where=where)
    return name


class ManifestColumns:
    """Lines of a manifest, of which each may have other keys.

    Args:
        columns: ``data.columns``.
    """

    def __init__(self, columns: dict[str, str]) -> None:
        self._columns = columns
        self._known: dict[tuple[str, ...], dict[str, str]] = {}  # our names, by a line's keys

    def parsed(self, line: bytes, where: str) -> tuple[dict[str, Any], dict[str, str]]:
        """A line's values by its own keys, and our names of these.

        Raises:
            UserError: It is not an object, or has no audio or no transcript.
        """
        listed = json_object(line, where)
        keys = tuple(listed)
        if keys not in self._known:
            if len(self._known) > _KINDS:
                self._known.clear()
            self._known[keys] = stream_columns(keys, self._columns, where, of_one_row=True)
        return listed, self._known[keys]


def json_object(line: bytes, where: str) -> dict[str, Any]:
    """The object of a line.

    Raises:
        UserError: It is none.
    """
    try:
        listed = json.loads(line)
    except (ValueError, RecursionError) as problem:
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
