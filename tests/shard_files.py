"""Shards of tones that encode their text in every format that is streamed."""

from __future__ import annotations

import gzip
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


def tar_of(path: Path, members: Sequence[tuple[str, bytes]]) -> Path:
    """A tar of files with these names, in this order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def write_lines(path: Path, lines: Sequence[dict]) -> Path:
    """JSON Lines, gzipped where the name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def write_nemo_tars(
    folder: Path, shards: Sequence[Sequence[str]], *, sharded: bool = False, all_in_one: bool = True
) -> list[dict]:
    """As NeMo's convert_to_tarred_audio_dataset.py lays a dataset out, and the manifest it is of.

    The third transcript of a shard is said in the recording of the second, after it: one member
    and two lines, the second with ``-sub1``, each with ``offset`` and ``duration``.

    Args:
        folder: Where to.
        shards: The transcripts of each tar.
        sharded: Whether each tar has a manifest.
        all_in_one: Whether there is one of all tars.

    Returns:
        The lines of a manifest of the recordings, which are written to ``folder.parent / "wavs"``,
        in the order of the tars.
    """
    wavs = folder.parent / "wavs"
    wavs.mkdir(parents=True, exist_ok=True)
    plain, tarred = [], []
    for number, texts in enumerate(shards):
        members, lines = [], []
        for row, text in enumerate(texts):
            about = {
                "text": text,
                "duration": 0.1 * len(text),
                "speaker": f"s{row % 3}",
                "lang": "de",
            }
            about["id"] = f"{number}-{row:03d}"
            name = f"{number}_{row:03d}.wav"
            to_write = squashed = f"_data_{name}"
            sound = text
            if row == 1 and len(texts) > 2:
                sound = text + texts[2]
                about["offset"] = 0.0
            if row == 2:
                name = f"{number}_001.wav"
                to_write = f"_data_{number}_001-sub1.wav"
                about["offset"] = 0.1 * len(texts[1])
            else:
                members.append((squashed, encoded(sound, "WAV")))
                (wavs / name).write_bytes(members[-1][1])
            plain.append({"audio_filepath": str(wavs / name), **about})
            lines.append({"audio_filepath": to_write, **about, "shard_id": number})
        tar_of(folder / f"audio_{number}.tar", members)
        if sharded:
            write_lines(folder / "sharded_manifests" / f"manifest_{number}.json", lines)
        tarred += lines
    if all_in_one:
        write_lines(folder / "tarred_audio_manifest.json", tarred)
    (folder / "metadata.yaml").write_text("num_samples_per_shard: 4\n")
    return plain


def shar_cut(name: str, text: str, **changed: object) -> tuple[dict, dict]:
    """A cut and its recording as Lhotse's SharWriter writes them."""
    seconds = len(text) / 10
    recording = {
        "id": name, "sources": [{"type": "shar", "channels": [0], "source": ""}],
        "sampling_rate": RATE, "num_samples": round(seconds * RATE), "duration": seconds,
        "channel_ids": [0],
    }  # fmt: skip
    said = {
        "id": name, "recording_id": name, "start": 0.0, "duration": seconds, "channel": 0,
        "text": text, "language": "de", "speaker": f"of {name}",
    }  # fmt: skip
    cut = {
        "id": name, "start": 0, "duration": seconds, "channel": 0, "supervisions": [said],
        "recording": recording, "type": "MonoCut",
    }  # fmt: skip
    return cut | changed, recording


def write_shar(folder: Path, number: int, ids: Sequence[str], texts: Sequence[str]) -> None:
    """A shard as Lhotse's SharWriter lays it out, with a field beside the recordings."""
    cuts, members = [], []
    for one, text in zip(ids, texts, strict=True):
        cut, recording = shar_cut(one, text)
        cuts.append(cut)
        members += [(f"{one}.flac", encoded(text)), (f"{one}.json", json.dumps(recording).encode())]
    write_lines(folder / f"cuts.{number:06d}.jsonl.gz", cuts)
    tar_of(folder / f"recording.{number:06d}.tar", members)
    features = [(f"{one}{end}", b"") for one in ids for end in (".llc", ".json")]
    tar_of(folder / f"features.{number:06d}.tar", features)


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
