"""Opening and batching a corpus of ten million utterances: seconds and memory.

    python benchmarks/ten_million_rows.py [--rows 10000000] [--repeats 3] [--keep DIR]

A prepared table is written once (no audio; durations and transcripts are sampled; 3 GB at ten
million rows, in a temporary folder unless --keep names one). Then, in fresh processes and with
imports left out, it is opened, the first batch is planned and its transcripts read, and a batch
in the middle of epoch 7 is: what a training that is resumed there does. The baseline does the
same with a datasets.Dataset, Python lists of texts and lengths, a shuffle of the rows and pools
sorted by length. Printed are medians beside the targets: opening under 1 s, the first batch
under 10 s, one of epoch 7 under 1 s more, less than 1 GiB resident.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from mynah import console
from mynah.data.batches import BatchPlan
from mynah.data.corpus import Corpus
from mynah.data.tables.shards import FORMAT_VERSION, write_shard
from mynah.data.tables.table import open_table, shard
from mynah.files import write_json

_SHARD_ROWS = 500_000
_BATCH_ROWS = 50_000
_BATCH_SECONDS = 240.0
_SEED = 1
_EPOCH = 7
_WORDS_A_SECOND = 2.7
_WORDS = ("and", "the", "of", "speech", "water", "never", "evening", "recognise", "a", "morning")
_TARGETS = {"open": 1.0, "first batch": 10.0, "batch of epoch 7, more": 1.0, "resident": 2.0**30}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="write the table here, and use it again")
    parser.add_argument("--measure", choices=sorted(_WAYS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(_WAYS[arguments.measure](arguments.keep)))
        return
    if arguments.keep:
        compare(arguments.keep, arguments.rows, arguments.repeats)
        return
    with tempfile.TemporaryDirectory(prefix="mynah-rows-") as folder:
        compare(Path(folder) / "table", arguments.rows, arguments.repeats)


def compare(directory: Path, rows: int, repeats: int) -> None:
    """Write the table where it is not there yet, measure, and print."""
    if open_table(directory) is None:
        write_table(directory, rows)
    found = {way: measured(way, directory, repeats) for way in _WAYS}
    lines = []
    for name, target in _TARGETS.items():
        ours, other = found["mynah"][name], found["datasets and lists"][name]
        shown = gibibytes if name == "resident" else seconds
        lines.append(
            [
                name,
                shown(ours),
                shown(target),
                "met" if ours < target else "MISSED",
                shown(other),
                f"{other / ours:,.1f}",
            ]
        )
    columns = ["", "Mynah", "target", "", "datasets and lists", "ratio"]
    console.table(f"{rows:,} rows, median of {repeats}", columns, lines)


def measured(way: str, directory: Path, repeats: int) -> dict[str, float]:
    """Medians over fresh processes."""
    command = [sys.executable, __file__, "--measure", way, "--keep", str(directory)]
    runs = [
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(repeats)
    ]
    return {name: statistics.median(run[name] for run in runs) for name in _TARGETS}


def mynah(directory: Path) -> dict[str, float]:
    """Open the table, make the plan, read the transcripts of two batches."""
    gc.collect()
    started = time.perf_counter()
    table = open_table(directory)
    assert table is not None
    corpus = Corpus.of_table(table, name="train", sample_rate=16000)
    assert len(corpus)
    opened = time.perf_counter()
    plan = BatchPlan(
        corpus.durations,
        seed=_SEED,
        batch_seconds=_BATCH_SECONDS,
        batch_size=None,
        text_lengths=corpus.text_lengths,
    )
    assert all(corpus[row].text for row, _ in plan.batch(0, 0))
    first = time.perf_counter()
    batch = plan.batch(_EPOCH, plan.batches_per_epoch // 2)
    assert all(corpus[row].text for row, _ in batch)
    later = time.perf_counter()
    return results(started, opened, first, later)


def datasets_and_lists(directory: Path) -> dict[str, float]:
    """The same with a Dataset, its columns as lists, a shuffle and sorted pools."""
    from datasets import Dataset, concatenate_datasets, disable_progress_bars

    disable_progress_bars()
    gc.collect()
    started = time.perf_counter()
    paths = sorted(directory.glob("shard-*.arrow"))
    dataset = concatenate_datasets([Dataset.from_file(str(path)) for path in paths])
    opened = time.perf_counter()
    texts = dataset.data.column("text").to_pylist()
    durations = dataset.data.column("duration_seconds").to_pylist()

    def batch(epoch: int, index: int) -> list[int]:
        order = list(range(len(durations)))
        random.Random(_SEED + epoch).shuffle(order)
        pool = 5_000
        batches: list[list[int]] = []
        for start in range(0, len(order), pool):
            batches += filled(sorted(order[start : start + pool], key=durations.__getitem__))
            if len(batches) > index:
                return batches[index]
        return batches[-1]

    def filled(rows: list[int]) -> list[list[int]]:
        made: list[list[int]] = [[]]
        for row in reversed(rows):
            longest = durations[made[-1][0]] if made[-1] else 0.0
            if longest * (len(made[-1]) + 1) > _BATCH_SECONDS:
                made.append([])
            made[-1].append(row)
        return made

    assert all(texts[row] for row in batch(0, 0))
    first = time.perf_counter()
    assert all(texts[row] for row in batch(_EPOCH, len(durations) // 40))
    later = time.perf_counter()
    return results(started, opened, first, later)


def results(started: float, opened: float, first: float, later: float) -> dict[str, float]:
    """Seconds, and the most bytes that were resident, mapped files among them."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "open": opened - started,
        "first batch": first - opened,
        "batch of epoch 7, more": later - first,
        "resident": peak * (1.0 if sys.platform == "darwin" else 1024.0),
    }


_WAYS: dict[str, Callable[[Path], dict[str, float]]] = {
    "mynah": mynah,
    "datasets and lists": datasets_and_lists,
}


def write_table(directory: Path, rows: int) -> None:
    """A prepared table of sampled rows, a shard after the other."""
    directory.mkdir(parents=True, exist_ok=True)
    transcripts = sampled_transcripts()
    shards = []
    with console.progress("writing rows", total=rows, unit="rows") as advance:
        for number, start in enumerate(range(0, rows, _SHARD_ROWS)):
            path = shard(directory, number)
            end = min(start + _SHARD_ROWS, rows)
            write_shard(path, sampled_rows(start, end, transcripts))
            shards.append(path)
            advance(end - start)
    content = {
        "version": FORMAT_VERSION,
        "fingerprint": f"sampled-{rows}",
        "shards": {path.name: path.stat().st_size for path in shards},
        "about": {},
    }
    write_json(directory / "table.json", content)


def sampled_rows(start: int, end: int, transcripts: pa.Array) -> Iterator[pa.RecordBatch]:
    """Rows in batches: lengths as LibriSpeech's, transcripts as long as they are spoken."""
    for first in range(start, end, _BATCH_ROWS):
        count = min(_BATCH_ROWS, end - first)
        draw = np.random.default_rng([_SEED, first])
        long = draw.normal(14.5, 1.0, count)
        durations = np.clip(
            np.where(draw.random(count) < 0.7, long, draw.uniform(1.5, 16, count)), 1.3, 25
        )
        words = np.clip(durations * draw.normal(_WORDS_A_SECOND, 0.4, count), 1, 80).astype(int)
        names = pa.array([f"{row:09d}" for row in range(first, first + count)])
        paths = pa.array(
            [f"audio/{row // 1000:06d}/{row:09d}.flac" for row in range(first, first + count)]
        )
        audio = pa.StructArray.from_arrays([paths, pa.nulls(count, pa.binary())], ["path", "bytes"])
        columns = {
            "id": names,
            "audio": audio,
            "offset_seconds": pa.array(np.zeros(count)),
            "duration_seconds": pa.array(durations),
            "text": transcripts.take(pa.array((words - 1) * 50 + draw.integers(0, 50, count))),
            "speaker": pa.array([f"s{row // 100}" for row in range(first, first + count)]),
            "source": pa.array(["sampled"] * count),
        }
        yield pa.RecordBatch.from_pydict(columns)


def sampled_transcripts(seed: int = _SEED) -> pa.Array:
    """Fifty transcripts of each number of words from 1 to 80, in this order."""
    draw = random.Random(seed)
    return pa.array(
        [" ".join(draw.choices(_WORDS, k=words)) for words in range(1, 81) for _ in range(50)]
    )


def seconds(value: float) -> str:
    return f"{value:.3f} s"


def gibibytes(value: float) -> str:
    return f"{value / 2**30:.2f} GiB"


if __name__ == "__main__":
    main()
