"""Kaldi's data directories: ``wav.scp``, ``text``, ``utt2spk``, and where they are there
``segments``, ``utt2lang``, ``spk2gender`` and ``reco2file_and_channel``
(https://kaldi-asr.org/doc/data_prep.html).

The directory itself, or one that holds one for each split (``data/train``, ``data/dev``)::

    wav.scp    call-1 /corpora/calls/call-1.flac
    segments   call-1-anna-0001 call-1 12.5 15.25
    text       call-1-anna-0001 i would like to change my booking

A recording is a file, or a place in an archive of WAV files (``wav.ark:1234``). A command in
``wav.scp`` is never run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mynah.config.schema import DataConfig
from mynah.data.audio import files
from mynah.data.row import Row
from mynah.data.sources.reading import values
from mynah.data.sources.reading.extras import as_columns
from mynah.data.sources.reading.lines import line_place as line_place
from mynah.data.sources.reading.lines import read_lines
from mynah.data.sources.reading.paths import AudioPaths
from mynah.data.sources.reading.source import ONLY_SPLIT, Place, SplitFilesSource, usual_split
from mynah.errors import UserError

_ARCHIVE = re.compile(r"^(?P<file>.+):(?P<offset>\d+)$")
# What Kaldi's extract-segments takes off a segment that is longer than its recording
# (--max-overshoot); one that is longer still is left out.
_OVERSHOOT_SECONDS = 0.5
_MOST_OFFSET_DIGITS = 18  # any such number fits 64 bits
_DECODED = re.compile(r"[^\s'\"|]+\.(?:flac|wav|sph|wv1|mp3|ogg|opus|m4a|mp4)\b", re.IGNORECASE)


@dataclass(frozen=True)
class _Recording:
    """A line of wav.scp."""

    path: str
    byte_offset: int | None = None
    byte_length: int | None = None


class KaldiSource(SplitFilesSource):
    """One split a data directory; a directory alone is ``train``, unless its name is a split's."""

    format = "kaldi"

    @classmethod
    def recognizes(cls, root: Path) -> bool:
        return bool(data_directories(root))

    @classmethod
    def open(cls, config: DataConfig, place: Place) -> KaldiSource:
        root = (place.working_directory / Path(config.path or config.dataset_name)).expanduser()
        root = root.resolve()
        splits = data_directories(root)
        if not splits:
            raise UserError(
                "There is no Kaldi data directory here: a folder with wav.scp and text is needed, "
                "or one that holds such folders.",
                where=str(root),
                fix="data.path=FOLDER, as data/train, or data for all of them",
            )
        return cls(
            config,
            place,
            name=root.name,
            identity=str(root),
            splits={name: [folder] for name, folder in splits.items()},
        )

    def read(self, split: str, paths: Sequence[Path]) -> list[Row]:
        (folder,) = paths
        recordings = self._recordings(folder)
        texts = _table(folder / "text")
        speakers = _table(folder / "utt2spk")
        languages = _table(folder / "utt2lang")
        genders = _table(folder / "spk2gender")
        channels = _channels(folder / "reco2file_and_channel")
        if (folder / "segments").is_file():
            rows = list(_segments(folder, recordings, channels))
        else:
            rows = [
                _row(folder, name, recording, channels.get(name))
                for name, recording in recordings.items()
            ]
        known = {row.id for row in rows}
        # In text, but nowhere in the audio: found out, named and counted when it is read.
        rows += [
            Row(id=name, path=str(folder / "wav.scp" / name), text=None)
            for name in texts
            if name not in known
        ]
        rows = _one_channel_is_the_first(rows)
        return [
            replace(
                row,
                text=" ".join(texts.get(row.id, "").split()) or None,
                speaker=speakers.get(row.id, ""),
                language=languages.get(row.id, ""),
                source=split,
                columns=as_columns({"gender": genders.get(speakers.get(row.id, row.id))}),
            )
            for row in rows
        ]

    def _recordings(self, folder: Path) -> dict[str, _Recording]:
        found: dict[str, _Recording] = {}
        finder = AudioPaths(folder, self._config, self._place, absolute=True)
        path = folder / "wav.scp"
        for name, (number, rest) in keyed_lines(path).items():
            where = line_place(path, number)
            if "|" in rest:  # at the end as a rule; Kaldi takes no file's name with one either
                raise _command(rest, where)
            archive = _ARCHIVE.match(rest)
            if archive is None:
                found[name] = _Recording(finder.find(rest, where))
                continue
            file = finder.find(archive["file"], where)
            offset = _offset(archive["offset"], where)
            found[name] = _Recording(file, offset, _wav_length(Path(file), offset, where))
        return found


def data_directories(root: Path) -> dict[str, Path]:
    """Kaldi's data directories at, in, or in ``data`` in a folder, by their names."""
    if (root / "wav.scp").is_file():
        return {root.name if usual_split(root.name) else ONLY_SPLIT: root}
    for parent in (root, root / "data"):
        if parent.is_dir():
            found = sorted(file.parent for file in parent.glob("*/wav.scp"))
            if found:
                return {folder.name: folder for folder in found}
    return {}


def keyed_lines(path: Path) -> dict[str, tuple[int, str]]:
    """Line and rest of the line by its first word; nothing where there is no file.

    Raises:
        UserError: A word comes twice.
    """
    found: dict[str, tuple[int, str]] = {}
    if not path.is_file():
        return found
    for number, line in read_lines(path):
        fields = line.split(maxsplit=1)
        if not fields:
            continue
        if fields[0] in found:
            raise UserError(
                f"{fields[0]} is there twice, first on line {found[fields[0]][0]}.",
                where=line_place(path, number),
                fix="Kaldi's utils/fix_data_dir.sh says which files disagree.",
            )
        found[fields[0]] = (number, fields[1].strip() if len(fields) > 1 else "")
    return found


def _table(path: Path) -> dict[str, str]:
    return {name: rest for name, (_, rest) in keyed_lines(path).items()}


def _channels(path: Path) -> dict[str, int]:
    """``reco2file_and_channel``: the channel of each recording, from 0."""
    found = {}
    for name, (number, rest) in keyed_lines(path).items():
        fields = rest.split()
        if len(fields) != 2:
            raise UserError(
                "A line of reco2file_and_channel has three fields: recording, file, channel.",
                where=line_place(path, number),
            )
        found[name] = values.channel(fields[1], line_place(path, number))
    return found


def _segments(
    folder: Path, recordings: dict[str, _Recording], channels: dict[str, int]
) -> list[Row]:
    path = folder / "segments"
    rows = []
    for name, (number, rest) in keyed_lines(path).items():
        where = line_place(path, number)
        fields = rest.split()
        if len(fields) not in (3, 4):
            raise UserError(
                "A line of segments has four fields: utterance, recording, begin, end "
                "(and at most a channel).",
                where=where,
            )
        recording = recordings.get(fields[0])
        if recording is None:
            raise UserError(f"There is no recording {fields[0]} in wav.scp.", where=where)
        start = values.seconds(fields[1], "begin", where)
        length = None  # -1: to the end of the recording
        if fields[2] not in ("-1", "-1.0"):
            length = values.piece(start, values.seconds(fields[2], "end", where), where)
        channel = channels.get(fields[0])
        if len(fields) == 4:
            channel = values.channel(fields[3], where)
        row = _row(folder, name, recording, channel)
        rows.append(
            replace(
                row,
                offset_seconds=start,
                duration_seconds=length,
                overshoot_seconds=_OVERSHOOT_SECONDS,
            )
        )
    return rows


def _row(folder: Path, name: str, recording: _Recording, channel: int | None) -> Row:
    return Row(
        id=name,
        path=recording.path,
        text=None,
        byte_offset=recording.byte_offset,
        byte_length=recording.byte_length,
        channel=channel,
        source=folder.name,
    )


def _one_channel_is_the_first(rows: list[Row]) -> list[Row]:
    """Rows on a second channel of files that have one only: the file is that channel, which
    was taken out of a call before; so its first is meant."""
    counts: dict[tuple[str | None, int | None], int] = {}
    found = []
    for row in rows:
        if row.channel:
            key = (row.path, row.byte_offset)
            if key not in counts:
                try:
                    counts[key] = files.probe(
                        row.path or "", byte_offset=row.byte_offset, byte_length=row.byte_length
                    ).channels
                except (ValueError, OSError):
                    counts[key] = 0  # found out, named and counted when it is read
            if counts[key] == 1:
                row = replace(row, channel=0)
        found.append(row)
    return found


def _offset(digits: str, where: str) -> int:
    """The byte at which a recording begins in an archive.

    Raises:
        UserError: No file is that long. Python refuses to parse more than 4,300 digits.
    """
    if len(digits) > _MOST_OFFSET_DIGITS:
        raise UserError(
            f"The byte offset in an archive has {len(digits)} digits: {digits[:20]}…",
            where=where,
            fix="Fix the line, or remove it.",
        )
    return int(digits)


def _wav_length(file: Path, offset: int, where: str) -> int | None:
    """How many bytes a WAV file in an archive has; None: to the archive's end.

    Raises:
        UserError: There is something else at that place.
    """
    try:
        with file.open("rb") as opened:
            opened.seek(offset)
            head = opened.read(12)
    except (OSError, ValueError, OverflowError):
        return None  # found out, named and counted when it is read
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        raise UserError(
            f"Byte {offset} of {file.name} is not the start of a WAV file: this archive holds "
            "features, or another format.",
            where=where,
            fix="Archives of recordings are made with: "
            "wav-copy scp:wav.scp ark,scp:wav.ark,new.scp",
        )
    size = int.from_bytes(head[4:8], "little")
    return None if size in (0, 0xFFFFFFFF, 0x7FFFFFFF) else size + 8


def _command(rest: str, where: str) -> UserError:
    named = _DECODED.search(rest)
    if named:
        fix = (
            f"Name the file in place of the command, as {named.group()[:200]}: its format and its "
            "rate are read as they are, and a channel goes into reco2file_and_channel. "
            "If the command does more than decode"
        )
    else:
        fix = "Write the recordings to files"
    return UserError(
        f"A command stands in place of a recording, and Mynah runs no command that it finds in a "
        f"data file: {rest[:120]}",
        where=where,
        fix=f"{fix}: wav-copy scp:wav.scp ark,scp:wav.ark,new.scp runs it with Kaldi's own tool, "
        "and new.scp is then the wav.scp to use.",
    )
