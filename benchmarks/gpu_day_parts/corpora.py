"""Recordings to train on: hums with a voice's rhythm, as many and as long as a part needs."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import soundfile

RATE = 16000
# In the words of the models with random weights (tests/standins_lm.py), whose tokenizers know them.
SENTENCES = (
    "turn on the kitchen lights",
    "set a timer for ten minutes",
    "call anna at five past nine",
    "play the next song",
)
_WORDS_A_SECOND = 2.7
_FILES = 24  # of a corpus that repeats them
_EVALUATED = 8


def short(folder: Path, rows: int) -> Path:
    """Clips of 2 to 4 seconds with a sentence each, in a folder with a listing."""
    if (folder / "metadata.csv").exists():
        return folder
    draw = np.random.default_rng(0)
    listed = []
    for row in range(rows + _EVALUATED):
        seconds = round(2 + 2 * draw.random(), 2)
        file = f"clip-{row:04d}.wav"
        text = SENTENCES[row % len(SENTENCES)]
        _write(folder / file, seconds, row % len(SENTENCES))
        listed.append((file, text, "validation" if row >= rows else "train"))
    with (folder / "metadata.csv").open("w", newline="") as metadata:
        csv.writer(metadata).writerows([("file_name", "text", "split"), *listed])
    return folder


def equal(folder: Path, rows: int, seconds: float, *, evaluated: int = _EVALUATED) -> Path:
    """Utterances of one length, which are spans of a few files, in NeMo's manifests.

    Args:
        folder: Where they lie.
        rows: To train on.
        seconds: Of each.
        evaluated: Rows to measure on.
    """
    if (folder / "dev_manifest.json").exists():
        return folder
    files = [f"recording-{number:02d}.flac" for number in range(_FILES)]
    for number, file in enumerate(files):
        _write(folder / file, seconds + 1, number)
    for split, count in (("train", rows), ("dev", evaluated)):
        lines = (
            {
                "audio_filepath": files[row % _FILES],
                "offset": round((row // _FILES) % 100 / 100, 2),
                "duration": seconds,
                "text": text_of(seconds),
            }
            for row in range(count)
        )
        _manifest(folder / f"{split}_manifest.json", lines)
    return folder


def text_of(seconds: float) -> str:
    """As many words as people say in the time."""
    words: Sequence[str] = " ".join(SENTENCES).split()
    count = max(1, round(seconds * _WORDS_A_SECOND))
    return " ".join(words[place % len(words)] for place in range(count))


def _manifest(file: Path, lines: Iterable[dict[str, object]]) -> None:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _write(file: Path, seconds: float, voice: int) -> None:
    """Harmonics of a voice's own pitch, in syllables, and some noise."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(voice)
    time = np.arange(round(seconds * RATE)) / RATE
    pitch = 90 + 25 * (voice % 7)
    tone = sum(np.sin(2 * np.pi * pitch * order * time) / order for order in range(1, 9))
    syllables = np.clip(np.sin(2 * np.pi * (3 + voice % 3) * time), 0, None)
    audio = 0.1 * tone * syllables + 0.005 * draw.standard_normal(len(time))
    soundfile.write(file, audio.astype(np.float32), RATE)
