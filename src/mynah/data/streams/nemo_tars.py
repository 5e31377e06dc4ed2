"""Rows of NeMo's tarred datasets: tars of recordings, and manifests of what is said in them.

    audio_0.tar audio_1.tar …    tarred_audio_manifest.json, a line with its shard_id,
                                 or one for each tar: sharded_manifests/manifest_0.json …

A recording is found by the name that a line gives it, without its ending, as NeMo finds it; the
lines ``a-sub1.wav``, ``a-sub2.wav`` are further pieces of ``a.wav``. Nothing is unpacked.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mynah.data.row import Row
from mynah.data.streams.manifests import (
    ManifestColumns,
    audio_name,
    json_object,
    without_skipped,
)
from mynah.data.streams.reader import BadRow, FindAudio, listed_row
from mynah.data.streams.shard import Lines, Shard
from mynah.data.streams.tars import files_in, is_recording, opened_tar
from mynah.errors import UserError

NEMO_TAR = "NeMo tar"  # among the formats
SHARDED = "sharded_manifests"  # the folder of one manifest for each tar
_TARRED = "tarred_"  # what the name of a manifest of all tars begins with
_TAR = re.compile(r"audio[^/]*_(\d+)[^/]*\.tar")
_MANIFEST = re.compile(r"manifest[^/]*_(\d+)[^/]*\.jsonl?(?:\.gz)?")
_VERSION = re.compile(r"_version_(\d+)(?=\.)")  # of a manifest with tars that were added later
_PIECE = re.compile(r"-sub\d+$")
# A line as NeMo writes it ends so; no string of it can, which would end in a quotation mark.
_LAST = re.compile(rb'"shard_id":\s*(\d{1,9})\s*\}\s*$')
_SHOWN = 5  # names in a message


def is_tar_name(name: str) -> bool:
    """Whether a file is called as NeMo calls its tars."""
    return _TAR.fullmatch(name) is not None


def names_tars(shard: Shard) -> bool:
    """Whether a file is a manifest of recordings in tars, by its first line.

    Raises:
        UserError: It is in storage, and cannot be read.
    """
    if not shard.ending.startswith(".json"):
        return False
    try:
        first = next((line for _, line in shard.lines() if line.strip()), b"")
    except (OSError, EOFError, zlib.error):
        return False
    try:
        return "shard_id" in json_object(first, str(shard))
    except UserError:
        return False


def with_manifests(shards: Sequence[Shard]) -> list[Shard]:
    """Files, of which each of NeMo's tars has its manifest beside it; the others as they are.

    Raises:
        UserError: Tars and manifests are not of one dataset, or it is not known which manifest
            is meant.
    """
    folders: dict[Path, list[Shard]] = {}
    for shard in shards:
        folders.setdefault(shard.path.parent, []).append(shard)
    made: dict[Path, Shard] = {}
    used: set[Path] = set()
    for folder, held in folders.items():
        if not _has_tars(held):
            if not _has_tars(folders.get(folder.parent, [])):
                _check_no_tars_meant(folder, held)
            continue
        manifests = [shard for shard in held if names_tars(shard)]
        sharded = folders.get(folder / SHARDED, [])
        if not manifests and not sharded:  # as WebDataset has them
            continue
        tars, of_tar = _by_number(held, _TAR), _by_number(sharded, _MANIFEST)
        if manifests and of_tar.keys() != tars.keys():
            of_tar = _by_shard(_newest(manifests))
        _check_same(tars, of_tar)
        for number, tar in tars.items():
            made[tar.path] = replace(tar, ending=NEMO_TAR, beside=(of_tar[number],))
        used |= {shard.path for shard in (*manifests, *sharded)}
    return [made.get(shard.path, shard) for shard in shards if shard.path not in used]


def read_nemo_tar(
    shard: Shard, start: int, *, audio: bool, columns: dict[str, str], find: FindAudio
) -> Iterator[Row | BadRow]:
    """Rows of a tar from ``start`` on, in the order of its recordings; last those without one.

    Without the audio, in the order of the manifest, and the tar is not opened.

    Raises:
        UserError: No line of the manifest is a row, or no recording of the tar is in it.
    """
    said, wrong = _read_manifest(shard.beside[0], columns)
    if not audio:
        rows: list[Row | BadRow] = [*(_row(line, shard, None) for line in said), *wrong]
        yield from rows[start:]
        return
    waiting = _Waiting(said)
    place = 0
    with opened_tar(shard) as tar:
        for member in files_in(tar):
            if not is_recording(member.name):
                continue
            lines = waiting.take(member.name)
            if place + max(len(lines), 1) > start:
                made: list[Row | BadRow] = [
                    Row(member.name, None, None, audio=b"", source=shard.path.name)
                ]
                if lines:
                    held = tar.extractfile(member)
                    content = held.read() if held else b""
                    made = [_row(line, shard, content) for line in lines]
                yield from made[max(start - place, 0) :]
            place += max(len(lines), 1)
    left = waiting.left()
    if (said or place) and len(left) == len(said):
        raise UserError(
            f"No recording of {shard.path.name} is in its manifest: they are of two datasets.",
            where=str(shard.beside[0]),
            fix="put the manifest there that was written with the tars",
        )
    missing = [
        BadRow(line.name, f"{shard.path.name} holds no recording of this name ({line.where})")
        for line in left
    ]
    yield from [*missing, *wrong][max(start - place, 0) :]


@dataclass(frozen=True)
class _Line:
    """A line of a manifest.

    Attributes:
        name: Of its recording.
        listed: Its values by its own keys.
        names: Our names of these.
        where: File and line.
    """

    name: str
    listed: dict[str, Any]
    names: dict[str, str]
    where: str

    @property
    def stem(self) -> str:
        return _stem(self.name)


class _Waiting:
    """Lines of a manifest whose recording has not come yet.

    Args:
        lines: All of a tar.
    """

    def __init__(self, lines: Sequence[_Line]) -> None:
        self._lines: dict[str, list[_Line]] = {}  # by the recording they are pieces of
        self._stems: dict[str, set[str]] = {}  # the same names, by their last part
        for line in lines:
            stem = _PIECE.sub("", line.stem)
            self._lines.setdefault(stem, []).append(line)
            self._stems.setdefault(stem.rpartition("/")[2], set()).add(stem)

    def take(self, member: str) -> list[_Line]:
        """The lines of a recording; none where the manifest does not have it, or not again."""
        stem = _stem(member)
        if lines := self._lines.pop(self._known(stem), []):
            return lines
        # The recording itself is called as a piece is: it is not one, and has its own line.
        piece_of = self._known(_PIECE.sub("", stem))
        lines = self._lines.get(piece_of, [])
        own = [line for line in lines if line.stem.rpartition("/")[2] == stem.rpartition("/")[2]]
        if own:
            self._lines[piece_of] = [line for line in lines if line not in own]
        return own

    def left(self) -> list[_Line]:
        """Lines whose recording has not come."""
        return [line for lines in self._lines.values() for line in lines]

    def _known(self, stem: str) -> str:
        """A name as the manifest has it, where one of both is without its folder."""
        folder, _, base = stem.rpartition("/")
        stems = self._stems.get(base, set())
        if stem in self._lines or len(stems) != 1:
            return stem
        (only,) = stems
        return only if not folder or "/" not in only else stem


def _stem(name: str) -> str:
    folder, slash, base = name.removeprefix("./").rpartition("/")
    return folder + slash + (base.rpartition(".")[0] or base)


def _row(line: _Line, shard: Shard, content: bytes | None) -> Row | BadRow:
    return listed_row(
        without_skipped(line.listed, line.names),
        line.names,
        fallback_id=line.name,
        source=shard.path.name,
        where=line.where,
        path=None,
        content=content,
        cuts=True,
    )


def _read_manifest(manifest: Shard, columns: dict[str, str]) -> tuple[list[_Line], list[BadRow]]:
    """The lines of a tar, and what is not a row.

    Raises:
        UserError: None is one.
    """
    known = ManifestColumns(columns)
    lines: list[_Line] = []
    wrong: list[BadRow] = []
    for number, content in manifest.lines():
        if not content.strip():
            continue
        where = f"{manifest}, line {number}"
        try:
            listed, names = known.parsed(content, where)
            if manifest.parts and _shard_id(listed) is None:
                raise UserError("No shard_id is named here.", where=where)
            name = audio_name(listed, names, where)
        except UserError as problem:
            reason = f"{problem.what} ({where})"
            wrong.append(BadRow(f"{manifest.path.stem}-{number}", reason, problem))
            continue
        lines.append(_Line(name, listed, names, where))
    if wrong and not lines and wrong[0].problem is not None:
        raise wrong[0].problem
    return lines, wrong


def _by_shard(manifest: Shard) -> dict[int, Shard]:
    """The manifest of each tar: the lines of one that has the lines of all.

    Raises:
        UserError: Its first line names no tar, or it cannot be read.
    """
    parts: dict[int, list[Lines]] = {}
    current, at = None, 0
    try:
        for number, content in manifest.lines():
            end = at + len(content)
            found = _shard_id_in(content, str(manifest)) if content.strip() else current
            if found is None:
                found = current  # named and counted with the lines around it
            if found is None:
                raise UserError(
                    "The shard_id of the first line is not the number of a tar.",
                    where=str(manifest),
                )
            if found == current:
                parts[found][-1] = replace(parts[found][-1], end=end)
            else:
                parts.setdefault(found, []).append(Lines(number, at, end))
            current, at = found, end
    except (OSError, EOFError, zlib.error) as problem:
        raise UserError(
            f"The manifest cannot be read: {problem}.",
            where=str(manifest),
            fix="fetch it again: it is cut short or damaged",
        ) from problem
    return {number: replace(manifest, parts=tuple(lines)) for number, lines in parts.items()}


def _shard_id_in(line: bytes, where: str) -> int | None:
    if found := _LAST.search(line, max(len(line) - 64, 0)):
        return int(found[1])
    try:
        return _shard_id(json_object(line, where))
    except UserError:
        return None


def _shard_id(listed: Mapping[str, Any]) -> int | None:
    found = listed.get("shard_id")
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _newest(manifests: Sequence[Shard]) -> Shard:
    """The manifest that is meant: of several versions of one the last.

    Raises:
        UserError: They are of different names.
    """

    def version(shard: Shard) -> int:
        found = _VERSION.search(shard.path.name)
        return int(found[1]) if found else 0

    if len({_VERSION.sub("", shard.path.name) for shard in manifests}) > 1:
        names = [shard.path.name for shard in manifests]
        raise UserError(
            f"Several manifests list recordings in these tars: {', '.join(names[:_SHOWN])}.",
            where=str(manifests[0]),
            fix=f"name the one that is meant: data.path=FOLDER/{names[0]}",
        )
    return max(manifests, key=version)


def _has_tars(shards: Sequence[Shard]) -> bool:
    return any(is_tar_name(shard.path.name) for shard in shards)


def _by_number(shards: Sequence[Shard], pattern: re.Pattern[str]) -> dict[int, Shard]:
    """Files by the number in their names, in its order.

    Raises:
        UserError: Two have one number.
    """
    found: dict[int, Shard] = {}
    for shard in shards:
        if match := pattern.fullmatch(shard.path.name):
            other = found.setdefault(int(match[1]), shard)
            if other is not shard:
                raise UserError(
                    f"Two files have the number {match[1]}: {other.path.name} and "
                    f"{shard.path.name}.",
                    where=str(shard),
                    fix="keep the tars and manifests of one dataset in the folder",
                )
    return dict(sorted(found.items()))


def _check_no_tars_meant(folder: Path, held: Sequence[Shard]) -> None:
    """
    Raises:
        UserError: By its name and its first line, a manifest lists recordings in tars.
    """
    for shard in held:
        is_called_so = folder.name == SHARDED or shard.path.name.startswith(_TARRED)
        if is_called_so and names_tars(shard):
            raise UserError(
                "This manifest lists recordings in tars (shard_id), and there is no audio_0.tar "
                "beside it.",
                where=str(shard),
                fix=f"name the folder that holds the tars, with {SHARDED}/ or the manifest in it",
            )


def _check_same(tars: Mapping[int, Shard], manifests: Mapping[int, Shard]) -> None:
    """
    Raises:
        UserError: A tar has no manifest, or a manifest no tar.
    """
    where = str(next(iter((manifests or tars).values())))
    fix = "put the tars and the manifest there that were written together"
    if missing := sorted(manifests.keys() - tars.keys()):
        raise UserError(
            f"The manifest lists recordings of {len(manifests):,} tars, and there are "
            f"{len(tars):,}; missing: {_shown(missing)}.",
            where=where,
            fix=fix,
        )
    if missing := sorted(tars.keys() - manifests.keys()):
        raise UserError(
            f"There are {len(tars):,} tars, and the manifest lists recordings of "
            f"{len(manifests):,}; not in it: {_shown(missing)}.",
            where=where,
            fix=fix,
        )


def _shown(numbers: Sequence[int]) -> str:
    names = [f"audio_{number}.tar" for number in numbers[:_SHOWN]]
    return ", ".join([*names, *(["…"] if len(numbers) > _SHOWN else [])])
