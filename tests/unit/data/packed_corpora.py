"""Corpora for the tests of packing: one of every way that audio lies in a table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile
from data_helpers import tone, write_tone

from mynah.cli import main

SHARD_BYTES = 60_000


def write_corpus(root: Path) -> Path:
    """Files, pieces of a long 24-bit file, a channel and both of a stereo file, one that is
    lossy, one that is damaged, in two splits."""
    rows = []

    def listed(file: str, text: str, split: str = "train", **more: object) -> None:
        rows.append({"file_name": file, "text": text, "split": split, **more})

    for number in range(6):
        write_tone(root / f"{number}.flac", 0.5 + 0.1 * number, hertz=200 + 10 * number)
        split = "test" if number > 3 else "train"
        listed(f"{number}.flac", f"Ein Satz, {number}: größer", split, speaker=f"s{number % 2}")
    left, right = tone(0.8, 8000, 300), tone(0.8, 8000, 500)
    soundfile.write(root / "both.wav", np.stack([left, right], axis=1), 8000, subtype="PCM_16")
    listed("both.wav", "beide <noise>", gender="f")
    listed("both.wav", "links", channel=0)
    soundfile.write(root / "long.wav", tone(3.0, 22050, 250) * 0.3, 22050, subtype="PCM_24")
    listed("long.wav", "ein Stück", offset=0.4, duration=0.9)
    listed("long.wav", "der Rest", offset=1.3, duration=1.2, language="de")
    soundfile.write(root / "lossy.ogg", tone(1.5, 16000, 350), 16000)
    listed("lossy.ogg", "verlustbehaftet", offset=0.2, duration=0.7)
    (root / "broken.wav").write_bytes(b"RIFF not a recording")
    listed("broken.wav", "kaputt", "test")
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (root / "metadata.jsonl").write_text(text, encoding="utf-8")
    return root


def pack(corpus: Path, to: Path, *more: str, size: int = SHARD_BYTES) -> int:
    """Run the command."""
    cache = f"data.dataset_cache_dir={to.parent / 'cache'}"
    given = [str(corpus), cache, "data.num_proc=2", "--to", str(to), "--shard-size", str(size)]
    return main.main(["data", "pack", *given, *more])
