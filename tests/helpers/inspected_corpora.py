"""A folder of recordings in which one row is wrong in each way."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE = 16000
WORDS = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "stop", "go",
    "left", "right", "up", "down",
)  # fmt: skip
ROOT = Path(__file__).resolve().parents[2]
REAL_DATA = Path(os.environ.get("MYNAH_TEST_DATA", ROOT.parent / "shared" / "data"))


def real_corpus(name: str) -> Path:
    """A corpus of real speech; the test is skipped where it is not on this machine."""
    if not (REAL_DATA / name).is_dir():
        pytest.skip(f"needs real speech at {REAL_DATA / name} (MYNAH_TEST_DATA)")
    return REAL_DATA / name


def babble(seconds: float, seed: int, rate: int = RATE) -> np.ndarray:
    """float32 [samples]: noise of the full band in syllables, with faint noise between."""
    draw = np.random.default_rng(seed)
    times = np.arange(round(seconds * rate)) / rate
    voiced = np.clip(np.sin(2 * np.pi * 2.5 * times + seed), 0, 1)
    noise = draw.standard_normal(len(times))
    return ((0.08 * voiced + 0.001) * noise).astype(np.float32)


def sentence(seed: int, words: int = 6) -> str:
    """Words sampled from a small vocabulary."""
    return " ".join(np.random.default_rng(seed).choice(WORDS, words))


def write_corpus(root: Path, rows: list[dict[str, object]]) -> Path:
    """A folder with metadata.csv; rows have ``file_name``, ``text``, ``audio`` and what else
    the metadata is to hold."""
    columns = [name for name in rows[0] if name != "audio"]
    root.mkdir(parents=True, exist_ok=True)
    for row in rows:
        path = root / str(row["file_name"])
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, row["audio"], RATE, subtype="PCM_16")
    with (root / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return root


def plain_rows(split: str, count: int, first: int = 0) -> list[dict[str, object]]:
    """Rows in which nothing is wrong, of four speakers."""
    return [
        {
            "file_name": f"{split}/{number:03d}.wav",
            "text": sentence(first + number),
            "speaker": f"{split}-{number % 4}",
            "split": split,
            "audio": babble(1.6 + 0.05 * (number % 9), first + number),
        }
        for number in range(count)
    ]


def dirty_rows() -> tuple[list[dict[str, object]], dict[str, str]]:
    """Rows, and for each kind of suspicion the file that is wrong in that way."""
    import soxr

    rows = plain_rows("train", 50)

    def audio(number: int) -> np.ndarray:
        return np.asarray(rows[number]["audio"])

    telephone = soxr.resample(soxr.resample(audio(3), RATE, 8000), 8000, RATE)
    silence = np.zeros(2 * RATE, dtype=np.float32)
    silence[:2400] = 0.1 * np.random.default_rng(4).standard_normal(2400)
    rows[0]["audio"] = audio(0) * 0.0005
    rows[1]["audio"] = np.clip(audio(1) * 8, -0.6, 0.6)
    rows[2]["audio"] = audio(2) + 0.05
    rows[3]["audio"] = telephone
    rows[4]["audio"] = silence
    rows[5]["text"] = " ".join(sentence(seed) for seed in range(3))
    rows[6]["text"] = "go"
    rows[6]["audio"] = babble(6.0, 6)
    rows[7]["text"] = f"{rows[7]['text']} 42"
    rows[8]["text"] = f"{rows[8]['text']} <noise>"
    rows[9]["text"] = f"{rows[9]['text']} мир"
    rows[11]["audio"] = audio(10)
    rows[11]["text"] = "quite another text here"
    wrong = {
        "silent": "train/000.wav",
        "clipped": "train/001.wav",
        "dc_offset": "train/002.wav",
        "upsampled": "train/003.wav",
        "mostly_silence": "train/004.wav",
        "text_too_long": "train/005.wav",
        "text_too_short": "train/006.wav",
        "digits": "train/007.wav",
        "symbols": "train/008.wav",
        "other_script": "train/009.wav",
        "duplicate": "train/011.wav",
    }
    return rows, wrong
