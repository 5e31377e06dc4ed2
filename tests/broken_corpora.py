"""A corpus in which one recording in ten is broken, each in another way."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from standin_corpora import tone

RATE = 16000
WORDS = ("red", "green", "blue", "seven", "eight", "stop", "go", "left", "right", "up")
ONE_IN = 10
EVALUATION_ROWS = 10


@dataclass(frozen=True)
class Broken:
    """One broken utterance of the training split.

    Attributes:
        name: Its recording.
        reason: What data.json calls it.
        detail: A part of what data.json says in detail.
    """

    name: str
    reason: str
    detail: str = ""


def write_corpus(folder: Path) -> list[Broken]:
    """Write ``metadata.csv`` with the splits train and test, and the recordings.

    Returns:
        The broken utterances of the training split.
    """
    folder.mkdir(parents=True, exist_ok=True)
    breaks = list(_BREAKS)
    rows: list[list[bytes]] = []
    broken = []
    for number in range(ONE_IN * len(breaks)):
        name, text = f"train/{number:04d}.wav", sentence(number)
        write_recording(folder / name, text, number)
        listed = text.encode()
        if number % ONE_IN == ONE_IN // 2:
            how = breaks[number // ONE_IN]
            reason, detail, listed = _BREAKS[how](folder / name, listed)
            if reason:
                broken.append(Broken(name, reason, detail))
        rows.append([name.encode(), listed, b"s%d" % (number % 7), b"train"])
    for number in range(EVALUATION_ROWS):
        name, text = f"test/{number:04d}.wav", sentence(1000 + number)
        write_recording(folder / name, text, 1000 + number)
        rows.append([name.encode(), text.encode(), b"e%d" % (number % 3), b"test"])
    lines = [b"file_name,text,speaker,split", *(b",".join(row) for row in rows)]
    (folder / "metadata.csv").write_bytes(b"\n".join(lines) + b"\n")
    return broken


def sentence(number: int) -> str:
    """Three words, by number."""
    draw = np.random.default_rng(number)
    return " ".join(draw.choice(WORDS, 3))


def write_recording(path: Path, text: str, seed: int) -> None:
    """Two seconds or so of tones that encode the text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(text, 1.0 + 0.05 * len(text), seed), RATE)


def break_silently(path: Path) -> None:
    """Make a recording unreadable so that neither its size nor its time of change tells."""
    status = path.stat()
    path.write_bytes(b"\x00" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def listed_names(folder: Path, split: str) -> list[str]:
    """The recordings that ``metadata.csv`` lists for a split."""
    text = (folder / "metadata.csv").read_text(encoding="utf-8", errors="replace")
    rows = list(csv.reader(text.replace("\0", "").splitlines()))
    return [row[0] for row in rows if row[-1] == split]


def _truncated(path: Path, text: bytes) -> tuple[str, str, bytes]:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return "unreadable", "cut short", text


def _no_bytes(path: Path, text: bytes) -> tuple[str, str, bytes]:
    path.write_bytes(b"")
    return "unreadable", "", text


def _wrong_extension(path: Path, text: bytes) -> tuple[str, str, bytes]:
    samples, rate = soundfile.read(path)
    soundfile.write(path, samples, rate, format="FLAC")
    return "", "", text  # it is read by its content: nothing is wrong with it


def _text_file(path: Path, text: bytes) -> tuple[str, str, bytes]:
    path.write_text("This is where the recording was meant to go.\n" * 40)
    return "unreadable", "text", text


def _no_numbers(path: Path, text: bytes) -> tuple[str, str, bytes]:
    samples, rate = soundfile.read(path, dtype="float32")
    samples[len(samples) // 2] = np.nan
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return "unreadable", "not numbers", text


def _silence(path: Path, text: bytes) -> tuple[str, str, bytes]:
    soundfile.write(path, np.zeros(2 * RATE), RATE)
    return "unreadable", "silent", text


def _no_samples(path: Path, text: bytes) -> tuple[str, str, bytes]:
    soundfile.write(path, np.zeros(0), RATE)
    return "unreadable", "no sound", text


def _three_hours(path: Path, text: bytes) -> tuple[str, str, bytes]:
    rate = 2000  # so that three hours are 22 MB
    samples = np.tile(np.array([0, 1000, 0, -1000], dtype=np.int16), 3 * 3600 * rate // 4)
    soundfile.write(path, samples, rate, subtype="PCM_U8")
    return "too long", "10800", text


def _missing(path: Path, text: bytes) -> tuple[str, str, bytes]:
    path.unlink()
    return "unreadable", "there is no file", text


def _no_text(path: Path, text: bytes) -> tuple[str, str, bytes]:
    return "no transcript", "", b""


def _binary_text(path: Path, text: bytes) -> tuple[str, str, bytes]:
    return "transcript is not text", "", b"\x00\x01\x02PNG\x1a\x07\x7f\x00"


def _other_script(path: Path, text: bytes) -> tuple[str, str, bytes]:
    return "transcript in another script", "Cyrillic", "красный зелёный синий".encode()


def _long_text(path: Path, text: bytes) -> tuple[str, str, bytes]:
    return "too many characters a second", "", b" ".join([b"word"] * 10_000)


_BREAKS = {
    how.__name__: how
    for how in (
        _truncated, _no_bytes, _wrong_extension, _text_file, _no_numbers, _silence, _no_samples,
        _three_hours, _missing, _no_text, _binary_text, _other_script, _long_text,
    )
}  # fmt: skip
