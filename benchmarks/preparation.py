"""Preparing a folder of short recordings, against a bare loop that reads them.

    python benchmarks/preparation.py [--files 10000] [--repeats 3] [--processes 1] [--form wav]

A folder with a metadata.csv and so many files of 0.5 to 1.5 s (16 kHz, noise) is prepared as
`mynah data prepare` does it: the table read and checked, every file decoded and looked at, leaks
and double rows searched for, the prepared table written. The bare loop decodes every file with
soundfile and adds up its samples. Both take turns on one folder, whose files are in memory; each
preparation has a cache of its own, so that none finds the work of the one before. Printed are
seconds by the clock and CPU seconds with those of child processes, and the medians of the ratios.
"""

from __future__ import annotations

import argparse
import csv
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import turns

from mynah import console
from mynah.config.hydra.compose import compose
from mynah.data.preparation.prepare import prepare

RATE = 16000
_EVALUATED = 20  # of so many rows one is measured on


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--form", choices=("wav", "flac"), default="wav")
    arguments = parser.parse_args()
    console.hush(True)
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "short"
        files = _write(corpus, arguments.files, arguments.form)
        ways: dict[str, Callable[[], None]] = {
            "prepared": lambda: _prepared(corpus, Path(folder), arguments.processes),
            "bare loop": lambda: _read(files),
        }
        wall: dict[str, list[float]] = {name: [] for name in ways}
        used: dict[str, list[float]] = {name: [] for name in ways}
        for way in ways.values():
            way()
        for repeat in range(arguments.repeats):
            for name in list(ways)[:: 1 if repeat % 2 else -1]:
                seconds, cpu = _timed(ways[name])
                wall[name].append(seconds)
                used[name].append(cpu)
    print(
        f"{arguments.files:,} {arguments.form} files, {arguments.processes} processes, "
        f"{arguments.repeats} turns"
    )
    for name in ways:
        print(
            f"{name:>10}: {statistics.median(wall[name]):6.2f} s, "
            f"{statistics.median(used[name]):6.2f} s of CPU"
        )
    middle, least, most = turns.ratios(wall["bare loop"], wall["prepared"])
    cpu, *_ = turns.ratios(used["bare loop"], used["prepared"])
    print(
        f"prepared in {middle:.2f} x the bare loop's time ({least:.2f} to {most:.2f}), "
        f"{cpu:.2f} x its CPU seconds"
    )


def _write(corpus: Path, count: int, form: str = "wav") -> list[Path]:
    """The folder; its files."""
    (corpus / "audio").mkdir(parents=True)
    draw = np.random.default_rng(0)
    rows, files = [], []
    for row in range(count):
        file = corpus / "audio" / f"{row:06d}.{form}"
        samples = 0.1 * draw.standard_normal(int(draw.integers(RATE // 2, 3 * RATE // 2)))
        soundfile.write(file, samples.astype(np.float32), RATE)
        words = draw.choice(["one", "two", "three", "four", "five", "six"], 2 + row % 3)
        split = "validation" if row % _EVALUATED == 0 else "train"
        rows.append((f"audio/{file.name}", f"{' '.join(words)} {row}", f"s{row % 97}", split))
        files.append(file)
    with (corpus / "metadata.csv").open("w", newline="") as table:
        csv.writer(table).writerows([("file_name", "text", "speaker", "split"), *rows])
    return files


def _prepared(corpus: Path, folder: Path, processes: int) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        config = compose(
            [
                *(f"data.dataset_name={corpus}", "data.on_leak=ignore"),
                *(f"data.num_proc={processes}", f"data.dataset_cache_dir={cache}"),
            ]
        ).config
        prepare(config.data, working_directory=folder)


def _read(files: list[Path]) -> None:
    total = 0
    for file in files:
        samples, _ = soundfile.read(file, dtype="float32")
        total += len(samples)
    assert total > 0


def _timed(way: Callable[[], None]) -> tuple[float, float]:
    began, used = time.perf_counter(), _used()
    way()
    return time.perf_counter() - began, _used() - used


def _used() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


if __name__ == "__main__":
    main()
