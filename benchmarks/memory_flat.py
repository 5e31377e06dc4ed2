"""Memory over a full pass of the training loader: a stream of shards, and a folder of files.

    python benchmarks/memory_flat.py [--rows 100000] [--what streamed folder] [--workers 0 1]

Speech-like noise is written as parquet shards, and as a folder of that many files (hard links
to a few hundred recordings); the real loader (decoding, features, labels, batches) goes through
all of it once, with each number of workers. Memory is what the process and its workers hold
anonymously (Pss_Anon of /proc/PID/smaps_rollup: shared pages counted once, pages of mapped
files left out, for the system takes those back at will), and all of it (Pss) beside that. Each
measurement prints, for the part after the first twentieth, the ratio of the last to the first
and the slope of a line through all points. The baseline keeps decoded arrays in a list, as a
Dataset that caches does, over the first rows; its ratio to the same line is printed.

Linux only. 100,000 rows take about six minutes a pass on two cores.
"""

from __future__ import annotations

import argparse
import csv
import gc
import io
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import soundfile
import torch

from mynah.config.hydra.compose import compose
from mynah.config.schema import Config
from mynah.data.augmentation.chain import Augmentation
from mynah.data.batches import BatchPlan
from mynah.data.preparation.prepare import prepare
from mynah.data.streams.stream import open_stream
from mynah.models import registry
from mynah.training.loading.dataset import PlanSampler, TrainingRows
from mynah.training.loading.loader import make_loader
from mynah.training.loading.stream_loader import StreamPlan

RATE = 16000
CLIPS = 200  # different recordings
POINTS = 40  # measurements over a pass
BASELINE_ROWS = 4000
WORDS = ("the", "of", "and", "to", "in", "that", "was", "his", "he", "it", "with", "is", "for")


@dataclass(frozen=True)
class Point:
    """Memory after so many rows: MiB, anonymous and in all."""

    rows: int
    anonymous: float
    everything: float


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--what", nargs="+", default=["streamed", "folder"])
    parser.add_argument("--workers", nargs="+", type=int, default=[0, 1])
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # as in a worker
    with tempfile.TemporaryDirectory(prefix="memory-flat-") as held:
        directory = Path(held)
        clips = make_clips(directory / "clips")
        for what in arguments.what:
            make = make_shards if what == "streamed" else make_folder
            root = make(directory / what, clips, arguments.rows)
            config = settings(root, directory / "cache", streaming=what == "streamed")
            loaders = streamed if what == "streamed" else prepared
            naive = None
            for workers, points in loaders(config, arguments.rows, arguments.workers):
                naive = naive or baseline(clips)
                report(f"{what}, {workers} workers", points, naive)


def settings(root: Path, cache: Path, *, streaming: bool) -> Config:
    """The default model over the corpus at ``root``."""
    overrides = [
        f"data.dataset_name={root}", f"data.dataset_cache_dir={cache}", "data.eval_splits=[]",
        f"data.streaming={str(streaming).lower()}", "training.max_steps=1000000000",
        "training.eval_strategy=no", "training.load_best_model_at_end=false",
        "data.tokenizer_rows=2000", "data.shuffle_buffer=1000", "training.batch_seconds=120",
    ]  # fmt: skip
    return compose(overrides).config


def streamed(config: Config, rows: int, workers: list[int]) -> Iterator[tuple[int, list[Point]]]:
    """(workers, memory) over one pass of the stream."""
    stream = open_stream(config.data, offline=True, working_directory=Path.cwd())
    family = build(config, stream.tokenizer_texts)
    for count in workers:
        plan = StreamPlan(stream, config)
        yield count, measured(family, stream, PlanSampler(plan), config, rows, count)


def prepared(config: Config, rows: int, workers: list[int]) -> Iterator[tuple[int, list[Point]]]:
    """(workers, memory) over one epoch of the prepared folder."""
    started = time.perf_counter()
    corpus = prepare(config.data, offline=True, working_directory=Path.cwd()).train
    assert corpus is not None
    print(f"folder: {len(corpus):,} rows prepared in {time.perf_counter() - started:.0f} s")
    started = time.perf_counter()
    corpus = prepare(config.data, offline=True, working_directory=Path.cwd()).train
    assert corpus is not None
    print(f"folder: opened again in {time.perf_counter() - started:.1f} s")
    family = build(config, corpus.texts)
    for count in workers:
        plan = BatchPlan(
            corpus.durations, seed=1, batch_seconds=config.training.batch_seconds, batch_size=None
        )
        yield count, measured(family, corpus, PlanSampler(plan), config, rows, count)


def build(config: Config, texts: Any) -> Any:
    """The model's family: what makes features, labels and batches."""
    return registry.build(config.model, texts=texts, sample_rate=RATE, offline=True)


def measured(
    family: Any, corpus: Any, sampler: Any, config: Config, rows: int, workers: int
) -> list[Point]:
    """Go through ``rows`` rows with the loader of a training; memory at regular points."""
    augmentation = Augmentation.open(config.data.augmentation, sample_rate=RATE, seed=1)
    options = {"prefetch_factor": 2} if workers else {}
    loader = make_loader(
        TrainingRows(family, corpus, augmentation),
        sampler,
        pin_memory=False,
        num_workers=workers,
        **options,
    )
    gc.collect()
    points: list[Point] = []
    done, batches = 0, iter(loader)
    started = time.perf_counter()
    while done < rows:
        batch = next(batches, None)
        if batch is None:
            break
        if batch["skipped"]:
            raise SystemExit(f"rows were left out: {batch['skipped'][:3]}")
        done += len(batch["ids"])
        if done >= rows * (len(points) + 1) / POINTS:
            points.append(Point(done, *memory()))
    print(f"  {done:,} rows in {time.perf_counter() - started:.0f} s with {workers} worker(s)")
    del batches, loader
    return points


def baseline(clips: list[Path]) -> list[Point]:
    """A list of decoded arrays that grows as rows are read."""
    kept, points = [], []
    for row in range(BASELINE_ROWS):
        kept.append(soundfile.read(clips[row % len(clips)], dtype="float32")[0].copy())
        if (row + 1) % (BASELINE_ROWS // POINTS) == 0:
            points.append(Point(row + 1, *memory()))
    return points


def memory() -> tuple[float, float]:
    """(Pss_Anon, Pss) in MiB of this process and its children."""
    anonymous = everything = 0
    for process in [os.getpid(), *_children(os.getpid())]:
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue  # it ended in between
        held = {line.split(":")[0]: line.split()[1] for line in lines[1:]}
        anonymous += int(held["Pss_Anon"])
        everything += int(held["Pss"])
    return anonymous / 1024, everything / 1024


def _children(process: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *_children(child)]
    return found


def report(title: str, points: list[Point], naive: list[Point]) -> None:
    """Print first, last, ratio and slope, and the slope against the baseline's."""
    steady = points[max(1, POINTS // 20) :]
    first, last = steady[0], steady[-1]
    print(f"{title}: rows {first.rows:,} to {last.rows:,}")
    for kind in ("anonymous", "everything"):
        begin, end = getattr(first, kind), getattr(last, kind)
        print(
            f"  {kind:10}: first {begin:7.1f} MiB, last {end:7.1f} MiB, "
            f"last/first {end / begin:.3f}, slope {slope(steady, kind):+8.1f} MiB per 100,000 rows"
        )
    naive_slope = slope(naive, "anonymous")
    ratio = slope(steady, "anonymous") / naive_slope
    print(
        f"  baseline, a list of decoded arrays: slope {naive_slope:+.1f} MiB per 100,000 rows; "
        f"ratio of the slopes {ratio:+.4f}"
    )


def slope(points: list[Point], kind: str) -> float:
    """MiB per 100,000 rows of the line of least squares."""
    rows = np.asarray([point.rows for point in points], dtype=float)
    held = np.asarray([getattr(point, kind) for point in points])
    return float(np.polyfit(rows, held, 1)[0]) * 100_000


# The corpora


def make_clips(folder: Path) -> list[Path]:
    """Recordings of 0.6 to 1.4 seconds: noise whose level goes up and down like syllables."""
    folder.mkdir(parents=True)
    clips = []
    for number in range(CLIPS):
        draw = np.random.default_rng(number)
        samples = int(RATE * draw.uniform(0.6, 1.4))
        level = 0.55 + 0.45 * np.sin(np.arange(samples) / RATE * 2 * np.pi * draw.uniform(3, 6))
        noise = np.convolve(draw.standard_normal(samples + 7), np.ones(8) / 8, mode="valid")
        clips.append(folder / f"{number:03d}.ogg")
        soundfile.write(clips[-1], (0.2 * level * noise).astype(np.float32), RATE)
    return clips


def transcript(row: int) -> str:
    """One or two words, so that they fit into the shortest clip."""
    return " ".join(np.random.default_rng(row).choice(WORDS, 1 + row % 2))


def make_shards(root: Path, clips: list[Path], rows: int) -> Path:
    """Parquet shards of 2,000 rows with the recordings' bytes in them."""
    root.mkdir()
    contents = [path.read_bytes() for path in clips]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    size = min(2000, -(-rows // 10))
    total = -(-rows // size)
    for number in range(total):
        numbers = range(number * size, min((number + 1) * size, rows))
        audio = [{"bytes": contents[row % CLIPS], "path": f"{row}.ogg"} for row in numbers]
        table = pa.table(
            {
                "id": [f"row-{row:07d}" for row in numbers],
                "audio": pa.array(audio, type=kind),
                "text": [transcript(row) for row in numbers],
            }
        )
        path = root / f"train-{number:05d}-of-{total:05d}.parquet"
        pyarrow.parquet.write_table(table, path, row_group_size=200)
    return root


def make_folder(root: Path, clips: list[Path], rows: int) -> Path:
    """Hard links to the recordings and a metadata.csv, 1,000 files a folder."""
    root.mkdir()
    held = io.StringIO()
    listing = csv.writer(held)
    listing.writerow(["file_name", "text", "speaker"])
    for row in range(rows):
        folder = f"{row // 1000:04d}"
        if row % 1000 == 0:
            (root / folder).mkdir()
        os.link(clips[row % CLIPS], root / folder / f"{row:07d}.ogg")
        listing.writerow([f"{folder}/{row:07d}.ogg", transcript(row), f"speaker-{row % 50}"])
    (root / "metadata.csv").write_text(held.getvalue())
    return root


if __name__ == "__main__":
    main()
