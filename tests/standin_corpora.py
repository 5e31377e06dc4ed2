"""A few utterances in the layout of a dataset on the hub, for loading without a network."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np

_RATE = 16000
_SENTENCES = (
    "HE HOPED THERE WOULD BE STEW FOR DINNER",
    "TURNIPS AND CARROTS AND BRUISED POTATOES",
    "STUFF IT INTO YOU HIS BELLY COUNSELLED HIM",
    "AFTER EARLY NIGHTFALL THE YELLOW LAMPS WOULD LIGHT UP",
    "HELLO BERTIE ANY GOOD IN YOUR MIND",
    "NUMBER TEN FRESH NELLY IS WAITING ON YOU",
    "THE MUSIC CAME NEARER AND HE RECALLED THE WORDS",
    "GOOD NIGHT HUSBAND",
)
# As openslr/librispeech_asr has them: configuration, split, utterances here.
_LIBRISPEECH = (
    ("clean", "train.100", 8),
    ("clean", "train.360", 8),
    ("clean", "validation", 4),
    ("clean", "test", 4),
    ("other", "train.500", 8),
    ("other", "validation", 4),
    ("other", "test", 4),
)


def tone(text: str, seconds: float, seed: int) -> np.ndarray:
    """Something a model can recognize: a tone per letter, float32 [samples], with faint noise."""
    samples = int(seconds * _RATE)
    draw = np.random.default_rng(seed)
    letters = np.array([ord(letter) for letter in text], dtype=np.float64)
    pitch = np.repeat(120 + 12 * (letters - 32), -(-samples // len(letters)))[:samples]
    wave = np.sin(2 * np.pi * np.cumsum(pitch) / _RATE)
    return (0.3 * wave + 0.01 * draw.standard_normal(samples)).astype(np.float32)


def install_librispeech(hub_cache: Path, name: str = "openslr/librispeech_asr") -> Path:
    """Write a stand-in for LibriSpeech on the hub, parquet files and card.

    Args:
        hub_cache: The cache's folder: ``HF_HUB_CACHE``, or ``HF_HOME/hub``.
        name: The dataset's name on the hub.

    Returns:
        The snapshot's folder.
    """
    repository = hub_cache / f"datasets--{name.replace('/', '--')}"
    commit = hashlib.sha1(name.encode()).hexdigest()
    snapshot = repository / "snapshots" / commit
    for number, (configuration, split, count) in enumerate(_LIBRISPEECH):
        folder = snapshot / configuration / split
        folder.mkdir(parents=True, exist_ok=True)
        _write_parquet(folder / "0000.parquet", 1000 * (number + 1), count)
    (snapshot / "README.md").write_text(_card(), encoding="utf-8")
    (repository / "refs").mkdir(exist_ok=True)
    (repository / "refs" / "main").write_text(commit)
    return snapshot


def _write_parquet(path: Path, first_speaker: int, count: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq
    import soundfile

    rows = []
    for number in range(count):
        speaker, chapter = first_speaker + number % 4, 10 * first_speaker + number % 4
        text = _SENTENCES[(number + first_speaker // 1000) % len(_SENTENCES)]
        identity = f"{speaker}-{chapter}-{number:04d}"
        encoded = io.BytesIO()
        audio = tone(text, 1.5 + 0.06 * len(text), seed=first_speaker + number)
        soundfile.write(encoded, audio, _RATE, format="FLAC")
        rows.append(
            {
                "file": f"{identity}.flac",
                "audio": {"bytes": encoded.getvalue(), "path": f"{identity}.flac"},
                "text": text,
                "speaker_id": speaker,
                "chapter_id": chapter,
                "id": identity,
            }
        )
    pq.write_table(pa.Table.from_pylist(rows), path)


def _card() -> str:
    lines = ["---", "license: cc-by-4.0", "configs:"]
    for configuration in ("clean", "other"):
        lines += [f"- config_name: {configuration}", "  data_files:"]
        for owner, split, _ in _LIBRISPEECH:
            if owner == configuration:
                lines += [f"  - split: {split}", f"    path: {configuration}/{split}/*.parquet"]
    return "\n".join([*lines, "---", "", "# A stand-in for LibriSpeech", ""])
