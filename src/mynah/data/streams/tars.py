"""Rows of a tar as WebDataset lays it out: files of one name follow each other.

    0001.flac 0001.txt 0002.flac 0002.json …   (the transcript in .txt, or in .json's text)

Nothing is unpacked: what members are called is only a name.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mynah.data.audio.files import AUDIO_SUFFIXES
from mynah.data.row import Row
from mynah.data.sources.reading.metadata import HEADERS
from mynah.data.sources.webdataset import is_document, several_recordings
from mynah.data.streams.reader import BadRow, FindAudio, listed_row, stream_columns
from mynah.data.streams.shard import Shard
from mynah.errors import UserError

_TEXT_BYTES = 1 << 20  # more is not a transcript
_END_BYTES = 1024  # two blocks of zeros end a tar
_TEXT_ENDINGS = ("txt", "text", "transcript")
_PACKED = re.compile(r"\d{9}")  # what ``mynah data pack`` calls a row
_TEXT_HEADERS = frozenset(HEADERS["text"])


def read_tar(
    shard: Shard, start: int, *, audio: bool, columns: dict[str, str], find: FindAudio
) -> Iterator[Row | BadRow]:
    """Rows of a tar from ``start`` on; the audio of rows before it is not read."""
    with opened_tar(shard) as tar:
        place = -1
        for place, (key, members) in enumerate(_grouped(tar, start, audio)):
            if place < start:
                continue
            try:
                yield _row(key, members, shard, columns)
            except UserError as problem:
                yield BadRow(key, f"{problem.what} ({shard})", problem)
        if place < 0:
            raise UserError(
                "The tar holds no pair of a recording and its transcript.",
                where=str(shard),
                fix="members are named NAME.flac and NAME.txt (or NAME.json with a text)",
            )


@contextmanager
def opened_tar(shard: Shard) -> Iterator[tarfile.TarFile]:
    """A tar, gzipped or not.

    Raises:
        EOFError: It is cut short.
        tarfile.TarError: It is none.
    """
    plain = shard.path.suffix == ".tar"
    if plain:
        _check_end(shard)
    with (
        shard.open() as file,
        tarfile.open(fileobj=file, mode="r:" if plain else "r|gz") as tar,
    ):
        yield tar


def files_in(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The plain files of a tar in their order: no folders, no links."""
    while (member := tar.next()) is not None:
        tar.members = []  # type: ignore[attr-defined]  # it keeps every header it has read
        if member.isfile():
            yield member


def _check_end(shard: Shard) -> None:
    """A tar that is cut between two members would else read as if it were complete."""
    with shard.open() as file:
        file.seek(0, 2)
        size = file.tell()
        file.seek(max(size - _END_BYTES, 0))
        if size < _END_BYTES or file.read().strip(b"\0"):
            raise EOFError("the tar is cut short: its end mark is missing")


def _grouped(
    tar: tarfile.TarFile, start: int, audio: bool
) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Members of one name, by their ending; without what is about the corpus."""
    key, members, place = "", {}, 0  # type: str, dict[str, bytes], int
    has_recording = False
    for member in files_in(tar):
        folder, _, name = member.name.rpartition("/")
        if name.startswith("."):
            continue
        stem, _, ending = name.partition(".")
        found = f"{folder}/{stem}" if folder else stem
        if found != key and members:
            if _is_sample(key, members):
                yield key, members
                place += 1
            members, has_recording = {}, False
        key = found
        ending = ending.lower()
        is_audio = is_recording(ending)
        # Of further recordings the sample's own alone may be meant: a tar whose names have dots
        # in them is one sample, and is not to fill the memory.
        is_meant = not has_recording or "." not in ending
        wanted = place >= start and ((audio and is_meant) or not is_audio)
        has_recording = has_recording or is_audio
        if not is_audio and member.size > _TEXT_BYTES:
            continue
        opened = tar.extractfile(member) if wanted else None
        members[ending] = opened.read() if opened else b""
    if members and _is_sample(key, members):
        yield key, members


def _is_sample(key: str, members: dict[str, bytes]) -> bool:
    """Whether files of one name are a row, if only a bad one: by their names alone, since rows
    that are passed over are counted without being read."""
    if any(map(is_recording, members)):
        return True
    said = {ending.rpartition(".")[2] for ending in members}
    return not is_document(key) and not said.isdisjoint({*_TEXT_ENDINGS, "json"})


def _row(
    key: str, members: dict[str, bytes], shard: Shard, columns: dict[str, str]
) -> Row | BadRow:
    """
    Raises:
        UserError: It has no recording or no transcript, or its JSON is none.
    """
    listed: dict[str, Any] = {}
    said = {ending: held for ending, held in members.items() if "." not in ending}
    has_text = not said.keys().isdisjoint(_TEXT_ENDINGS)
    # The text of a.left.wav may be called a.left.txt; beside a.txt that is another file.
    for ending, held in () if has_text else members.items():
        said.setdefault(ending.rpartition(".")[2], held)
    if "json" in said:
        try:
            read = json.loads(said["json"])
        except ValueError as problem:
            raise UserError(
                f"{key}.json is not JSON: {problem}", where=str(shard), fix="fix the shard"
            ) from problem
        listed = read if isinstance(read, dict) else {}
    is_said = "json" in members and not _TEXT_HEADERS.isdisjoint(map(str.lower, listed))
    for ending in _TEXT_ENDINGS:
        if ending in (members if is_said else said) and "text" not in columns:
            listed["text"] = said[ending].decode("utf-8-sig", errors="replace")
    is_packed = _PACKED.fullmatch(key) is not None and "id" in listed
    lacks_text = _TEXT_HEADERS.isdisjoint(name.strip().lower() for name in listed)
    if is_packed and lacks_text and "text" not in columns:
        listed["text"] = ""  # which earlier versions left out of what they packed
    recordings = [ending for ending in members if is_recording(ending)]
    if not recordings:
        raise UserError(
            f"{key} has no recording beside it, only {', '.join(members)}.",
            where=str(shard),
            fix=f"recordings end in {', '.join(sorted(AUDIO_SUFFIXES))}",
        )
    names = stream_columns(
        ["audio", *(name for name in listed if name != "audio")],
        {ours: theirs for ours, theirs in columns.items() if ours != "audio"},
        str(shard),
        audio="audio",
        of_one_row=True,
    )
    return listed_row(
        listed,
        names,
        fallback_id=key,
        source=shard.path.name,
        where=f"{shard}, {key}",
        path=None,
        content=members[_meant(key, recordings, shard)],
    )


def _meant(key: str, recordings: list[str], shard: Shard) -> str:
    """The ending of a sample's recording: of several of one kind the one without another dot.

    Raises:
        UserError: There is none of those.
    """
    kind = recordings[0].rpartition(".")[2]
    alike = [ending for ending in recordings if ending.rpartition(".")[2] == kind]
    if len(alike) == 1 or kind in alike:
        return kind if kind in alike else alike[0]
    raise several_recordings(key, [f"{key}.{ending}" for ending in alike[:2]], str(shard))


def is_recording(name: str) -> bool:
    """Whether a file is a recording, by the ending of its name."""
    return f".{name.rpartition('.')[2].lower()}" in AUDIO_SUFFIXES
