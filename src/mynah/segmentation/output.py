"""The folder of utterances: a listing to train on, what was rejected, and what is done.

DIR/metadata.csv         the utterances kept: which part of which file, text, score
DIR/rejected.jsonl       those that were not, with the reason of each
DIR/audio/NAME.flac      the utterances themselves, where asked for
DIR/segmentation.json    what was cut, and how
DIR/.recordings/         a file for each recording that is done
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mynah.data.audio import files
from mynah.errors import UserError
from mynah.files import write_json, write_text
from mynah.segmentation.inputs import LongRecording
from mynah.segmentation.utterance import CutUtterance

_RECORD = "segmentation.json"
_PARTS = ".recordings"


class SegmentedFolder:
    """A folder that utterances are written to, recording by recording.

    Args:
        directory: The folder.
        source: What is cut.
        language: ISO 639-1 code of all utterances, or "".
        write_audio: Whether each utterance becomes a file of its own.
    """

    def __init__(self, directory: Path, source: Path, *, language: str, write_audio: bool) -> None:
        self.directory = directory
        self._source = source
        self._language = language
        self._write_audio = write_audio

    def check(self) -> None:
        """Raise where the folder holds something else.

        Raises:
            UserError: It is not a folder, or holds files of something else.
        """
        if self.directory.exists() and not self.directory.is_dir():
            raise UserError("This is a file, and no folder.", where=f"--to {self.directory}")
        if not self.directory.is_dir() or not any(self.directory.iterdir()):
            return
        try:
            written = json.loads((self.directory / _RECORD).read_text(encoding="utf-8"))
            of = str(written["source"])
        except (OSError, ValueError, KeyError, TypeError):
            raise UserError(
                "This folder holds something else already.",
                where=f"--to {self.directory}",
                fix="--to ANOTHER_FOLDER",
            ) from None
        if of != str(self._source):
            raise UserError(
                f"This folder holds the utterances of {of}.",
                where=f"--to {self.directory}",
                fix="--to ANOTHER_FOLDER",
            )

    def start(self, settings: dict[str, Any]) -> None:
        """Make the folder and write down what is cut, and how."""
        (self.directory / _PARTS).mkdir(parents=True, exist_ok=True)
        record = {"source": str(self._source), **settings}
        write_json(self.directory / _RECORD, record, indent=2)

    def done(self, recording: LongRecording, fingerprint: str) -> list[CutUtterance] | None:
        """The utterances of a recording that was cut in the same way before, or None."""
        try:
            part = json.loads(self._part(recording).read_text(encoding="utf-8"))
            if part["fingerprint"] != fingerprint:
                return None
            return [CutUtterance(**one) for one in part["utterances"]]
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def add(
        self, recording: LongRecording, fingerprint: str, utterances: Sequence[CutUtterance]
    ) -> None:
        """Write down a recording that is done, its audio first."""
        if self._write_audio:
            self._write_clips(recording, utterances)
        part = {"fingerprint": fingerprint, "utterances": [asdict(one) for one in utterances]}
        write_json(self._part(recording), part)

    def write_listings(self, found: Sequence[tuple[LongRecording, Sequence[CutUtterance]]]) -> None:
        """Write ``manifest.jsonl`` and ``rejected.jsonl`` of all recordings that are done."""
        kept, rejected = [], []
        for recording, utterances in found:
            for number, one in enumerate(utterances, 1):
                if one.rejected:
                    rejected.append(_line(self._rejected_row(recording, number, one)))
                else:
                    kept.append(_line(self._row(recording, number, one)))
        write_text(self.directory / "manifest.jsonl", kept)
        write_text(self.directory / "rejected.jsonl", rejected)

    def _row(self, recording: LongRecording, number: int, one: CutUtterance) -> dict[str, Any]:
        place = {"audio_filepath": str(recording.path), "offset": round(one.start_seconds, 3)}
        channel = one.channel
        if self._write_audio:
            place, channel = {"audio_filepath": _clip(recording, number)}, None
        return {
            **place,
            "duration": round(one.duration_seconds, 3),
            "text": one.text,
            "id": _identifier(recording, number),
            "recording": recording.name,
            "speaker": one.speaker,
            "language": self._language,
            "channel": channel,
            "score": one.score,
        }

    def _rejected_row(
        self, recording: LongRecording, number: int, one: CutUtterance
    ) -> dict[str, Any]:
        # Not under a manifest's names: nothing is to take this for one.
        return {
            "id": _identifier(recording, number),
            "reason": one.rejected,
            "detail": one.detail,
            "text": one.text,
            "score": one.score,
            "file": str(recording.path),
            "start_seconds": round(one.start_seconds, 3),
            "end_seconds": round(one.end_seconds, 3),
            "speaker": one.speaker,
            "channel": one.channel,
        }

    def _write_clips(self, recording: LongRecording, utterances: Sequence[CutUtterance]) -> None:
        import soundfile

        rate = files.probe(recording.path).sample_rate
        for number, one in enumerate(utterances, 1):
            if one.rejected:
                continue
            path = self.directory / _clip(recording, number)
            path.parent.mkdir(parents=True, exist_ok=True)
            samples = files.read(
                recording.path,
                rate,
                offset_seconds=one.start_seconds,
                duration_seconds=one.duration_seconds,
                channel=one.channel,
            )
            soundfile.write(path, samples, rate, format="FLAC")

    def _part(self, recording: LongRecording) -> Path:
        # Names may hold slashes, and be longer than a file's name may.
        name = hashlib.blake2b(recording.name.encode(), digest_size=16).hexdigest()
        return self.directory / _PARTS / f"{name}.json"


def _identifier(recording: LongRecording, number: int) -> str:
    return f"{recording.name}-{number:04d}"


def _clip(recording: LongRecording, number: int) -> str:
    return f"audio/{_identifier(recording, number)}.flac"


def _line(row: dict[str, Any]) -> str:
    there = {name: value for name, value in row.items() if value is not None and value != ""}
    return json.dumps(there, ensure_ascii=False) + "\n"
