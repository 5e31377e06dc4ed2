"""Shards of tones that encode their text in every format that is streamed."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import soundfile

RATE = 8000
LETTERS = "abcdefgh"


def transcripts(rows: int, seed: int = 0) -> list[str]:
    """Two to five letters each."""
    draw = np.random.default_rng(seed)
    return ["".join(draw.choice(list(LETTERS), 2 + row % 4)) for row in range(rows)]


def encoded(text: str, kind: str = "FLAC") -> bytes:
    """A tenth of a second a letter, its pitch the letter's."""
    time = np.arange(RATE // 10) / RATE
    tones = [np.sin(2 * np.pi * 100 * (2 + LETTERS.index(c)) * time) for c in text]
    held = io.BytesIO()
    soundfile.write(held, 0.5 * np.concatenate(tones).astype(np.float32), RATE, format=kind)
    return held.getvalue()


def write_parquet(path: Path, ids: Sequence[str], texts: Sequence[str], **columns: list) -> Path:
    """As datasets on the hub hold audio: a struct of bytes and path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(_table(ids, texts, columns), path, row_group_size=7)
    return path


def write_arrow(path: Path, ids: Sequence[str], texts: Sequence[str], **columns: list) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = _table(ids, texts, columns)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=5)
    return path


def _table(ids: Sequence[str], texts: Sequence[str], columns: dict[str, list]) -> pa.Table:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    audio = [
        {"bytes": encoded(text), "path": f"{one}.flac"}
        for one, text in zip(ids, texts, strict=True)
    ]
    held = {"id": list(ids), "audio": pa.array(audio, type=kind), "text": list(texts)}
    return pa.table(held | columns)


def write_tar(path: Path, ids: Sequence[str], texts: Sequence[str]) -> Path:
    """As WebDataset lays it out; transcripts in turn in .txt and in .json."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz" if path.suffix in (".gz", ".tgz") else "w") as tar:
        for number, (one, text) in enumerate(zip(ids, texts, strict=True)):
            written = ("txt", text.encode())
            if number % 2:
                written = ("json", json.dumps({"text": text}).encode())
            for ending, content in (("flac", encoded(text)), written):
                member = tarfile.TarInfo(f"{one}.{ending}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return path


def write_manifest(path: Path, ids: Sequence[str], texts: Sequence[str], **columns: list) -> Path:
    """As NeMo writes them, the recordings beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (one, text) in enumerate(zip(ids, texts, strict=True)):
        recording = path.parent / "wavs" / f"{one}.wav"
        recording.parent.mkdir(exist_ok=True)
        recording.write_bytes(encoded(text, "WAV"))
        written = {"id": one, "audio_filepath": f"wavs/{one}.wav", "duration": 0.1 * len(text)}
        written |= {name: values[number] for name, values in columns.items()}
        lines.append(json.dumps(written | {"text": text}))
    path.write_text("\n".join(lines) + "\n")
    return path


def write_corpus(root: Path, sizes: Sequence[int], split: str = "train") -> list[str]:
    """Parquet shards of so many rows each; gives the ids, in the order of the shards."""
    texts = transcripts(sum(sizes))
    ids = [f"utterance-{number:04d}" for number in range(len(texts))]
    first = 0
    for number, size in enumerate(sizes):
        rows = slice(first, first + size)
        name = f"{split}-{number:05d}-of-{len(sizes):05d}.parquet"
        write_parquet(root / name, ids[rows], texts[rows])
        first += size
    return ids
