"""Lhotse's manifests: cuts, or recordings with supervisions (https://lhotse.readthedocs.io).

    cuts_train.jsonl.gz            MonoCut and MultiCut; each supervision is an utterance
    recordings_train.jsonl.gz      with supervisions_train.jsonl.gz beside it
    python src/train_hydra.py data.path=manifests/

Sources of the type ``file`` are read. A command is never run, and nothing is fetched from an
address. What only Lhotse can compute (mixed cuts, speed, volume) is refused. Lhotse's Shar
(``cuts.000000.jsonl.gz`` with ``recording.000000.tar``) is streamed (:mod:`mynah.data.streams`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mynah.config.schema import DataConfig
from mynah.data.row import OUTSIDE, Row
from mynah.data.sources.reading import values
from mynah.data.sources.reading.extras import as_columns
from mynah.data.sources.reading.lhotse_files import has_manifests, lhotse_manifests
from mynah.data.sources.reading.lines import line_place as line_place
from mynah.data.sources.reading.lines import read_json_lines
from mynah.data.sources.reading.paths import AudioPaths
from mynah.data.sources.reading.source import Place, SplitFilesSource
from mynah.errors import UserError

_OUTSIDE_SECONDS = 0.1  # by how much a supervision may reach out of its cut
_SAVE = "Write them to files with Lhotse: cuts.save_audios(FOLDER).to_file('cuts.jsonl.gz')"


class LhotseSource(SplitFilesSource):
    """Splits after the files' names, as ``dev-clean`` for librispeech_cuts_dev-clean.jsonl.gz."""

    format = "lhotse"

    @classmethod
    def recognizes(cls, root: Path) -> bool:
        return has_manifests(root) or bool(_shar_tars(root))

    @classmethod
    def open(cls, config: DataConfig, place: Place) -> LhotseSource:
        root = (place.working_directory / Path(config.path or config.dataset_name)).expanduser()
        root = root.resolve()
        if tars := _shar_tars(root):
            raise UserError(
                "This is Lhotse's Shar, whose recordings are read in the order of their tars.",
                where=str(tars[0]),
                fix="stream it: data.streaming=true; or prepare a small one: data.format=shards",
            )
        splits = lhotse_manifests(root)
        for path in (path for paths in splits.values() for path in paths):
            _check_first(path)
        if not splits:
            raise UserError(
                "There are no Lhotse manifests here: cuts*.jsonl.gz, or recordings*.jsonl.gz and "
                "supervisions*.jsonl.gz, are needed.",
                where=str(root),
                fix="data.path=FOLDER, or the file of the cuts",
            )
        return cls(config, place, name=root.name, identity=str(root), splits=splits)

    def read(self, split: str, paths: Sequence[Path]) -> list[Row]:
        folder = paths[0].parent
        finder = AudioPaths(
            folder, self._config, self._place, folders=[folder, *folder.parents[:2]], absolute=True
        )
        pieces = _cuts(paths[0]) if len(paths) == 1 else _supervised(*paths)
        rows: list[Row] = []
        for piece in pieces:
            transforms = piece.recording.get("transforms")
            _check_transforms(transforms, self._config.sample_rate, piece.where)
            rows += rows_of_piece(piece, _files(piece.recording, finder, piece.where), split)
        return rows


@dataclass(frozen=True)
class Piece:
    """A piece of a recording, or all of it, with what is said in it.

    Attributes:
        id: Of the cut or the recording.
        recording: As the manifest has it.
        start_seconds: Where it begins in the recording.
        duration_seconds: How long it is.
        channels: The channels it is on.
        supervisions: What is said, in times from the piece's beginning.
        where: File and line, for errors.
    """

    id: str
    recording: dict[str, Any]
    start_seconds: float
    duration_seconds: float
    channels: list[int]
    supervisions: list[dict[str, Any]]
    where: str


def _shar_tars(root: Path) -> list[Path]:
    """Tars of recordings in or one folder below a folder, beside the cuts that they belong to."""
    if not root.is_dir():
        return []
    tars = [*root.glob("recording*.tar"), *root.glob("*/recording*.tar")]
    cuts = {tar.parent for tar in tars if any(tar.parent.glob("cuts*.jsonl*"))}
    return sorted(tar for tar in tars if tar.parent in cuts)


def _check_first(path: Path) -> None:
    """Raises a UserError where a manifest is empty, or has the cuts of a Shar without its tars."""
    _, first = next(read_json_lines(path), (0, None))
    if first is None:
        fix = "copy it again from where it is intact, or write it again with Lhotse"
        raise UserError(f"{path.name} is empty: it lists nothing.", where=str(path), fix=fix)
    recording = first.get("recording")
    sources = recording.get("sources") if isinstance(recording, dict) else None
    if "'type': 'shar'" in str(sources):
        raise UserError(
            "These are cuts of Lhotse's Shar, and the tars of their recordings are not there.",
            where=str(path),
            fix=f"copy the tars there: {path.name.split('.jsonl')[0].replace('cuts', 'recording')}"
            ".tar belongs to it",
        )


def _cuts(path: Path) -> Iterator[Piece]:
    for number, cut in read_json_lines(path):
        yield piece_of_cut(cut, line_place(path, number))


def piece_of_cut(cut: dict[str, Any], where: str) -> Piece:
    """A line of a manifest of cuts.

    Args:
        cut: What the line holds.
        where: File and line, for errors.

    Raises:
        UserError: It is not a cut, or one that only Lhotse can put together.
    """
    kind = cut.get("type", "MonoCut")
    if kind not in ("MonoCut", "MultiCut"):
        raise UserError(
            f"A cut of the type {str(kind)[:40]!r} is put together by Lhotse and lies in no file.",
            where=where,
            fix=_SAVE,
        )
    recording = cut.get("recording")
    if not isinstance(recording, dict):
        raise UserError(
            "The cut has no recording: it was made from features alone.",
            where=where,
            fix="Add the recordings: lhotse cut simple --recordings …",
        )
    return Piece(
        id=values.text(cut.get("id"), "id", where),
        recording=recording,
        start_seconds=_clipped(cut.get("start", 0.0), "start", where),
        duration_seconds=values.seconds(cut.get("duration"), "duration", where),
        channels=_channels(cut.get("channel", 0), where),
        supervisions=_objects(cut.get("supervisions") or [], "supervisions", where),
        where=where,
    )


def _supervised(recordings: Path, supervisions: Path) -> Iterator[Piece]:
    said: dict[str, list[dict[str, Any]]] = {}
    lines: dict[str, str] = {}
    for number, supervision in read_json_lines(supervisions):
        where = line_place(supervisions, number)
        name = values.text(supervision.get("recording_id"), "recording_id", where)
        said.setdefault(name, []).append(supervision)
        lines.setdefault(name, where)
    for number, recording in read_json_lines(recordings):
        where = line_place(recordings, number)
        name = values.text(recording.get("id"), "id", where)
        channels = [
            channel
            for source in _objects(recording.get("sources") or [], "sources", where)
            for channel in _channels(source.get("channels") or [], where)
        ]
        yield Piece(
            id=name,
            recording=recording,
            start_seconds=0.0,
            duration_seconds=values.seconds(recording.get("duration"), "duration", where),
            channels=channels,
            supervisions=said.pop(name, []),
            where=where,
        )
    for name in said:
        raise UserError(f"There is no recording {name!r} in {recordings.name}.", where=lines[name])


Files = list[tuple[str, list[int]]]  # path, and which channel of the recording each of its is


def rows_of_piece(piece: Piece, files: Files, source: str) -> list[Row]:
    """A row for each supervision and each of its channels; for none, the piece without words.

    What is said beyond the piece by more than :data:`_OUTSIDE_SECONDS` has words that are not in
    it: such a row has a fault.

    Args:
        piece: The cut.
        files: Of its recording.
        source: Where it comes from, for people.

    Raises:
        UserError: A value is not what it is for, or the words cannot be shared out to channels.
    """
    where = piece.where
    total = values.seconds(piece.recording.get("duration"), "duration of the recording", where)
    rows = []
    for said in piece.supervisions or [{}]:
        begun = _time(said.get("start", 0.0), "start of a supervision", where)
        start, end, over = max(0.0, begun), piece.duration_seconds, 0.0
        if "duration" in said:
            ended = begun + values.seconds(said["duration"], "duration", where)
            over, end = max(ended - end, -begun, 0.0), min(end, ended)
        fault = ""
        if over > _OUTSIDE_SECONDS:
            fault = f"{OUTSIDE} {over:.2f} s out of its cut {piece.id}, and so do its words"
        if fault and not end > start:
            start, end = 0.0, piece.duration_seconds  # of no use, as the fault tells
        length = values.piece(start, end, where)
        offset = piece.start_seconds + start
        entire = offset == 0 and abs(length - total) < 1e-4
        text = " ".join(values.text(said.get("text"), "text", where).split())
        named = _channels(said["channel"], where) if "channel" in said else piece.channels
        for channel, path, inside in _channels_of(named, files, where):
            name = values.text(said.get("id", piece.id), "id", where)
            rows.append(
                Row(
                    id=name if channel is None or len(named) == 1 else f"{name}-ch{channel}",
                    path=path,
                    text=text or None,
                    offset_seconds=offset,
                    duration_seconds=None if entire else length,
                    channel=inside,
                    speaker=values.text(said.get("speaker"), "speaker", where),
                    language=values.text(said.get("language"), "language", where),
                    context=values.terms(_custom(said).get("context"), "context", where),
                    source=source,
                    fault=fault,
                    columns=as_columns(_others(said)),
                )
            )
    return rows


def _others(said: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a supervision beside what is read: lhotse's gender, and its custom fields."""
    held = {name: value for name, value in _custom(said).items() if name != "context"}
    return {"gender": said.get("gender"), **held}


def _custom(said: dict[str, Any]) -> dict[str, Any]:
    """What a supervision says beside lhotse's own fields."""
    held = said.get("custom")
    return held if isinstance(held, dict) else {}


def held_channels(recording: dict[str, Any], where: str) -> list[int]:
    """The channels of a recording that is held in one file.

    Raises:
        UserError: One is not a channel.
    """
    sources = _objects(recording.get("sources") or [], "sources", where)
    return [one for held in sources for one in _channels(held.get("channels") or [0], where)] or [0]


def _files(recording: dict[str, Any], finder: AudioPaths, where: str) -> Files:
    files: Files = []
    for source in _objects(recording.get("sources") or [], "sources", where):
        kind = source.get("type")
        name = values.text(source.get("source"), "source", where)
        if kind == "command":
            raise UserError(
                "A command stands in place of a recording, and Mynah runs no command that it "
                f"finds in a data file: {name[:120]}",
                where=where,
                fix=_SAVE,
            )
        if kind != "file":
            raise UserError(
                f"A recording of the type {str(kind)[:40]!r} is in no file of its own, and "
                "nothing is fetched from addresses in a manifest.",
                where=where,
                fix=_SAVE,
            )
        files.append((finder.find(name, where), _channels(source.get("channels") or [0], where)))
    if not files:
        raise UserError("The recording has no sources.", where=where)
    return files


def _channels_of(
    channels: list[int], files: Files, where: str
) -> list[tuple[int | None, str, int | None]]:
    """(channel, file, channel in the file) of what a supervision is on. One that is on all
    channels of one file is read as their mean, or as ``data.channels`` says."""
    if len(files) == 1 and len(channels) > 1 and set(channels) >= set(files[0][1]):
        return [(None, files[0][0], None)]
    found: list[tuple[int | None, str, int | None]] = []
    for channel in channels:
        for path, there in files:
            if channel in there:
                one = len(there) == 1
                found.append((channel, path, None if one else there.index(channel)))
                break
        else:
            raise UserError(f"The recording has no channel {channel}.", where=where)
    if len(found) > 1:
        raise UserError(
            "One supervision is on several channels, but not on all channels of one file: its "
            "words cannot be shared out.",
            where=where,
            fix="Give each channel a supervision of its own, or write the cut to a file of its "
            f"own. {_SAVE}",
        )
    return found


def _check_transforms(transforms: Any, sample_rate: int, where: str) -> None:
    """
    Raises:
        UserError: The recording is to be changed by Lhotse before it is read.
    """
    for transform in _objects(transforms or [], "transforms", where):
        name = values.text(transform.get("name"), "name of a transform", where)
        if name != "Resample":
            raise UserError(
                f"Lhotse's {name[:40] or 'transform'} is to change the recording as it is read.",
                where=where,
                fix=f"{_SAVE}; for speed, gain and rooms: data.augmentation",
            )
        # Resampling up, or down to what is read, leaves the band as it is.
        rates = transform.get("kwargs")
        rate = rates.get("target_sampling_rate") if isinstance(rates, dict) else None
        if isinstance(rate, int) and 0 < rate < sample_rate:
            raise UserError(
                f"Lhotse's Resample is to take the recording to {rate:,} Hz, which leaves nothing "
                f"above {rate // 2:,} Hz, and its file is read at {sample_rate:,} Hz.",
                where=where,
                fix=f"data.sample_rate={rate}, or else: {_SAVE}",
            )


def _objects(held: Any, what: str, where: str) -> list[dict[str, Any]]:
    if not isinstance(held, list) or not all(isinstance(one, dict) for one in held):
        raise UserError(f"The {what} are not a list of objects.", where=where)
    return held


def _channels(held: Any, where: str) -> list[int]:
    many = held if isinstance(held, list) else [held]
    return [values.channel(one, where) for one in many]


def _time(value: Any, what: str, where: str) -> float:
    """A time that may be before the cut begins: what overlaps it is clipped."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
        return -values.seconds(-value, what, where)
    return values.seconds(value, what, where)


def _clipped(value: Any, what: str, where: str) -> float:
    return max(0.0, _time(value, what, where))
