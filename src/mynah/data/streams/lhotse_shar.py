"""Rows of Lhotse's Shar: shards of cuts, and for each of their fields a tar in the same order.

    cuts.000000.jsonl.gz    recording.000000.tar    features.000000.tar …
    cuts.000001.jsonl.gz    recording.000001.tar

Of the fields only the recordings are read. In their tar ``ID.flac`` is a cut's, and ``ID.json``
after it says what that is; ``ID.nodata`` stands for a cut that has none. A cut's supervisions are
its rows, as in a manifest of cuts.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mynah.data.row import Row
from mynah.data.sources.lhotse import held_channels, piece_of_cut, rows_of_piece
from mynah.data.sources.reading import values
from mynah.data.streams.manifests import json_object
from mynah.data.streams.reader import BadRow, FindAudio
from mynah.data.streams.shard import Shard
from mynah.data.streams.tars import files_in, opened_tar
from mynah.errors import UserError

SHAR = "Lhotse Shar"  # among the formats
_FIELD = re.compile(r"(?P<field>[^.]+)(?P<number>.*?)\.(?P<ending>tar|jsonl|jsonl\.gz)")
_ABOUT_BYTES = 1 << 20  # more says nothing of a recording
_ABOUT = ("json", "nometa")  # endings of what follows a recording
_NOTHING = "nodata"


def with_recordings(shards: Sequence[Shard]) -> list[Shard]:
    """Files, of which each shard of cuts has its recordings beside it; the others as they are.

    Raises:
        UserError: Cuts are without recordings, or recordings without cuts.
    """
    folders: dict[Path, list[tuple[str, str, Shard]]] = {}
    for shard in shards:
        if match := _FIELD.fullmatch(shard.path.name):
            found = (match["field"], match["number"], shard)
            folders.setdefault(shard.path.parent, []).append(found)
    made: dict[Path, Shard] = {}
    used: set[Path] = set()
    for fields in folders.values():
        tars = {shard.path for _, _, shard in fields if shard.ending == ".tar"}
        of_number = {
            number: shard
            for field, number, shard in fields
            if field == "cuts" and shard.path not in tars
        }
        recordings = {
            number: shard
            for field, number, shard in fields
            if field == "recording" and shard.path in tars
        }
        others = [
            shard
            for field, number, shard in fields
            if field != "cuts" and number in of_number and (number or "" in recordings)
        ]
        if not of_number or not tars & {shard.path for shard in others}:
            continue  # cuts whose recordings lie in files of their own
        _check_same(of_number, recordings)
        for number, cuts in of_number.items():
            made[cuts.path] = replace(cuts, ending=SHAR, beside=(recordings[number],))
        used |= {shard.path for shard in others}
    return [made.get(shard.path, shard) for shard in shards if shard.path not in used]


def read_shar(
    shard: Shard, start: int, *, audio: bool, columns: dict[str, str], find: FindAudio
) -> Iterator[Row | BadRow]:
    """Rows of a shard from ``start`` on, in the order of its recordings; last those without one.

    Without the audio, in the order of the cuts, and the tar is not opened.

    Raises:
        UserError: The first line is not a cut, or no recording is of a cut.
    """
    place = 0
    for made, tar, recording in _with_audio(shard) if audio else _without_audio(shard):
        if place + len(made) > start:
            if tar is not None and recording is not None:
                held = tar.extractfile(recording)
                content = held.read() if held else b""
                made = [
                    one if isinstance(one, BadRow) else replace(one, path=None, audio=content)
                    for one in made
                ]
            yield from made[max(start - place, 0) :]
        place += len(made)


_Made = list[Row | BadRow]


@dataclass(frozen=True)
class _Cut:
    """A line of a shard's cuts.

    Attributes:
        id: Of the cut.
        held: What the line holds; None: it is not a cut.
        where: File and line.
        problem: Why it is not a cut.
    """

    id: str
    held: dict[str, Any] | None
    where: str
    problem: str = ""

    def wrong(self, reason: str, problem: UserError | None = None) -> BadRow:
        return BadRow(self.id, f"{reason} ({self.where})", problem)


@dataclass(frozen=True)
class _Pair:
    """A recording in a tar.

    Attributes:
        id: Of its cut.
        member: None where the cut has no recording.
        about: What lhotse says of it; None where it says nothing.
    """

    id: str
    member: tarfile.TarInfo | None
    about: dict[str, Any] | None


def _without_audio(shard: Shard) -> Iterator[tuple[_Made, None, None]]:
    for cut in _cuts(shard):
        yield _rows(cut, None, shard), None, None


def _with_audio(
    shard: Shard,
) -> Iterator[tuple[_Made, tarfile.TarFile | None, tarfile.TarInfo | None]]:
    """Rows of each recording, and where it is in its tar where they have one."""
    cuts = _cuts(shard)
    waiting: dict[str, list[_Cut]] | None = None  # all that are left, once the orders differ
    came = matched = False
    name = shard.beside[0].path.name
    with opened_tar(shard.beside[0]) as tar:
        for pair in _pairs(tar, shard.beside[0]):
            cut = next(cuts, None) if waiting is None else None
            if cut is not None and cut.id != pair.id:
                waiting = {}
                for one in (cut, *cuts):
                    waiting.setdefault(one.id, []).append(one)
            if waiting is not None:
                same = waiting.get(pair.id)
                cut = same.pop(0) if same else None
            came, matched = True, matched or cut is not None
            if cut is None:
                yield [Row(pair.id, None, None, audio=b"", source=shard.path.name)], None, None
            elif pair.member is None:
                yield [cut.wrong("The cut has no recording.")], None, None
            else:
                yield _rows(cut, pair.about, shard), tar, pair.member
    left = [*(cut for same in (waiting or {}).values() for cut in same), *cuts]
    if (came or left) and not matched:
        raise UserError(
            f"No recording of {name} is of a cut: they are of two corpora.",
            where=str(shard),
            fix="put the tar there that was written with the cuts",
        )
    for cut in left:
        yield [cut.wrong(f"{name} holds no recording of it.")], None, None


def _pairs(tar: tarfile.TarFile, shard: Shard) -> Iterator[_Pair]:
    """The recordings of a tar, each with what follows on it."""
    held: tarfile.TarInfo | None = None
    for member in files_in(tar):
        stem, _, ending = member.name.rpartition(".")
        if held is not None and (ending not in _ABOUT or held.name.rpartition(".")[0] != stem):
            yield _pair(held, None)
            held = None
        if ending not in _ABOUT:
            held = member
        elif held is None:
            yield _Pair(stem, None, None)
        else:
            yield _pair(held, _about(tar, member, shard))
            held = None
    if held is not None:
        yield _pair(held, None)


def _pair(member: tarfile.TarInfo, about: dict[str, Any] | None) -> _Pair:
    stem, _, ending = member.name.rpartition(".")
    return _Pair(stem, None if ending == _NOTHING else member, about)


def _about(tar: tarfile.TarFile, member: tarfile.TarInfo, shard: Shard) -> dict[str, Any] | None:
    held = tar.extractfile(member) if 0 < member.size <= _ABOUT_BYTES else None
    try:
        return None if held is None else json_object(held.read(), f"{shard}, {member.name}")
    except UserError:
        return None  # the cut says the same


def _cuts(shard: Shard) -> Iterator[_Cut]:
    """
    Raises:
        UserError: The first line is not a cut.
    """
    for number, line in shard.lines():
        if not line.strip():
            continue
        where = f"{shard}, line {number}"
        try:
            held = json_object(line, where)
            name = values.text(held.get("id"), "id", where)
            if not name:
                raise UserError("The cut has no id.", where=where)
        except UserError as problem:
            if number == 1:
                raise
            name = f"{shard.path.name}, line {number}"  # no recording is called so
            yield _Cut(name, None, where, problem.what)
            continue
        yield _Cut(name, held, where)


def _rows(cut: _Cut, about: dict[str, Any] | None, shard: Shard) -> _Made:
    """The rows of a cut.

    Args:
        cut: The cut.
        about: What the tar says of its recording.
        shard: Where it comes from.
    """
    if cut.held is None:
        return [cut.wrong(cut.problem)]
    channel = cut.held.get("channel", 0)
    channels = channel if isinstance(channel, list) else [channel]
    recording = about or cut.held.get("recording")
    if not isinstance(recording, dict):
        duration = cut.held.get("duration")
        recording = {"duration": duration, "sources": [{"channels": channels}]}
    try:
        piece = piece_of_cut(cut.held | {"recording": recording}, cut.where)
        return [*rows_of_piece(piece, [("", held_channels(recording, cut.where))], shard.path.name)]
    except UserError as problem:
        return [cut.wrong(problem.what, problem)]


def _check_same(cuts: Mapping[str, Shard], recordings: Mapping[str, Shard]) -> None:
    """
    Raises:
        UserError: Cuts are without recordings, or recordings without cuts.
    """
    fix = "put the files there that were written together; cuts of features alone cannot be read"
    for number in cuts.keys() - recordings.keys():
        raise UserError(
            f"There is no recording{number}.tar beside these cuts.",
            where=str(cuts[number]),
            fix=fix,
        )
    for number in recordings.keys() - cuts.keys():
        raise UserError(
            f"There is no cuts{number}.jsonl.gz beside these recordings.",
            where=str(recordings[number]),
            fix=fix,
        )
