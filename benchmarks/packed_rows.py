"""A run over a packed corpus of ten million utterances: seconds and memory to its first batch.

    python benchmarks/packed_rows.py [--rows 10000000] [--keep DIR] [--step 1000000]

The shards are written once (4 GB of indexes in a temporary folder unless --keep names one; lengths
and transcripts are sampled, and all recordings of a shard share the bytes of one). Then, in fresh
processes, `mynah train` with a model from scratch runs on it, up to the first batch that is read to
train on: settings, corpus, tokenizer, checks, plan and estimate included, imports of libraries left
out of the seconds and their memory not. With an empty cache; with one that an earlier run filled;
and resumed from a checkpoint that says it is of step --step. Printed are seconds, those of a CPU
(what can be compared where other work is running), and the most bytes that were resident, mapped
files among them, beside the targets: 10 s and 1 GiB.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import soundfile
from ten_million_rows import gibibytes, sampled_rows, sampled_transcripts, seconds

from mynah import console
from mynah.data.packed.index import INDEX_SCHEMA, IndexHead, read_statistics, write_index_of
from mynah.data.packed.layout import (
    PACK_NAME,
    Pack,
    PackedShard,
    PackedSplit,
    index_name,
    shard_name,
)
from mynah.data.packed.statistics import Statistics
from mynah.data.packed.tar_shard import TarShard
from mynah.data.sentences import sentence_hashes
from mynah.data.tables.label_bounds import stored_label_bounds
from mynah.data.tables.shards import ROW_SCHEMA, measured
from mynah.files import sha256

_SHARD_ROWS = 25_000
_EVAL_ROWS = 200
_TARGET_SECONDS, _TARGET_BYTES = 10.0, 2.0**30
_SEED = 1
_SETTINGS = [
    "model=small", "model.encoder.layers=1", "data.eval_splits=[test]", "offline=true",
    "training.dataloader_num_workers=0", "training.use_cpu=true", "training.save_strategy=steps",
    "training.save_steps=1", "training.eval_strategy=no", "training.load_best_model_at_end=false",
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--step", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="write the shards here, and use them again")
    parser.add_argument("--measure", nargs="*", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure is not None:
        measured_run(arguments.measure)
        return
    if arguments.keep:
        compare(arguments.keep.resolve(), arguments.rows, arguments.step)
        return
    with tempfile.TemporaryDirectory(prefix="mynah-packed-") as folder:
        compare(Path(folder) / "shards", arguments.rows, arguments.step)


def compare(shards: Path, rows: int, step: int) -> None:
    """Write the shards where they are not there yet, run, and print."""
    if not (shards / PACK_NAME).is_file():
        write_shards(shards, rows)
    with tempfile.TemporaryDirectory(prefix="mynah-packed-run-") as folder:
        place = Path(folder)
        found = {"first run": run(place, shards), "cache filled": run(place, shards)}
        checkpoint = trained_checkpoint(place, shards, step)
        resumed = [f"resume_from_checkpoint={checkpoint}", f"training.max_steps={step + 1}"]
        found[f"resumed at step {step:,}"] = run(place, shards, *resumed)
    lines = []
    for name, one in found.items():
        met = one["seconds"] < _TARGET_SECONDS and one["resident"] < _TARGET_BYTES
        shown = [seconds(one["seconds"]), seconds(one["cpu"]), gibibytes(one["resident"])]
        shown.append(gibibytes(one["before"]))
        lines.append([name, *shown, "met" if met else "MISSED"])
    columns = ["", "to the first batch", "of a CPU", "resident", "of it libraries", "10 s, 1 GiB"]
    console.table(f"{rows:,} packed rows", columns, lines)


def run(place: Path, shards: Path, *more: str, until_batch: bool = True) -> dict[str, float]:
    """A training in a process of its own, to its first batch or to its end."""
    own = [f"data.path={shards}", f"data.dataset_cache_dir={place / 'cache'}", *_SETTINGS, *more]
    command = [sys.executable, __file__, "--measure", "batch" if until_batch else "end", *own]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def trained_checkpoint(place: Path, shards: Path, step: int) -> Path:
    """The checkpoint of a training's first step, which says that it is of a later one."""
    from mynah.checkpoints.commit import write_sums

    run(place, shards, "training.max_steps=1", "training.output_dir=model", until_batch=False)
    later = place / "model" / f"checkpoint-{step}"
    shutil.copytree(place / "model" / "checkpoint-1", later)
    for name in ("trainer_state.json", "mynah.json"):
        held = json.loads((later / name).read_text())
        held |= {key: step for key in ("global_step", "step") if key in held}
        if "training" in held:
            held["training"]["steps_total"] = step + 1
        (later / name).write_text(json.dumps(held))
    shutil.rmtree(place / "model" / "checkpoint-1")
    write_sums(later)
    return later


def measured_run(given: list[str]) -> None:
    """`mynah train` in this process, ended when the first batch of the training was read."""
    import torch  # noqa: F401 - libraries are loaded before the clock runs
    import transformers.trainer  # noqa: F401

    import mynah.training.trainer as trainer
    from mynah.cli import main as command
    from mynah.data.corpus import Corpus

    until, *settings = given
    train, read = trainer.train, Corpus.read_audio
    before = resident()
    started, worked = time.perf_counter(), time.process_time()

    def report() -> None:
        found = {"seconds": time.perf_counter() - started, "resident": resident()}
        found["cpu"] = time.process_time() - worked
        print(json.dumps({**found, "before": before}), flush=True)

    def training(*arguments: Any, **named: Any) -> Any:
        Corpus.read_audio = reading  # type: ignore[assignment, method-assign]
        return train(*arguments, **named)

    def reading(corpus: Corpus, row: int) -> np.ndarray:
        found = read(corpus, row)
        report()
        os._exit(0)
        return found

    if until == "batch":
        trainer.train = training
    status = command.main(["train", *settings])
    report()
    sys.exit(status)


def resident() -> float:
    """The most bytes that were resident."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1.0 if sys.platform == "darwin" else 1024.0)


def write_shards(root: Path, rows: int) -> None:
    """A packed corpus of sampled rows."""
    root.mkdir(parents=True, exist_ok=True)
    splits = {}
    with console.progress("writing rows", total=rows, unit="rows") as advance:
        for seed, (split, count) in enumerate((("train", rows), ("test", _EVAL_ROWS)), _SEED):
            transcripts, shards = sampled_transcripts(seed), []
            for number, start in enumerate(range(0, count, _SHARD_ROWS)):
                end = min(start + _SHARD_ROWS, count)
                first = start + (rows if split == "test" else 0)
                name = shard_name(split, number)
                shards.append(write_one(root, name, first, first + end - start, transcripts))
                advance(end - start)
            parts = [read_statistics(root / shard.index) for shard in shards]
            fingerprint = f"sampled-{split}-{rows}"
            statistics = replace(Statistics.joined(parts), repeated_audio=0)
            splits[split] = PackedSplit(split, fingerprint, 0, tuple(shards), statistics)
    Pack("sampled", True, {}, splits).write(root)


def write_one(root: Path, name: str, start: int, end: int, transcripts: pa.Array) -> PackedShard:
    """A tar with one recording, and the index of as many rows as are wanted."""
    sound = io.BytesIO()
    tone = np.sin(np.arange(26 * 16000) * 0.05).astype(np.float32) / 4
    soundfile.write(sound, tone, 16000, format="FLAC")
    with (root / name).open("wb") as sink:
        tar = TarShard(sink)
        member = tar.add("000000000.flac", sound.getvalue())
        digest = tar.end()
    batches = [indexed(batch, name, member.byte_offset, member.byte_length)
               for batch in sampled_rows(start, end, transcripts)]  # fmt: skip
    head = IndexHead(name, digest, tar.size, end - start, "sampled", 0, (), member)
    index = root / index_name(name)
    write_index_of(batches, index, head)
    size = index.stat().st_size
    return PackedShard(name, end - start, tar.size, digest, size, sha256(index))


def indexed(batch: pa.RecordBatch, tar: str, offset: int, length: int) -> pa.RecordBatch:
    """Sampled rows with all columns of an index."""
    rows = batch.num_rows
    draw = np.random.default_rng([_SEED, int(batch.column("id")[0].as_py())])
    numbers = draw.integers(1, 2**63, rows, dtype=np.uint64)
    paths = pa.array([tar]).take(pa.array(np.zeros(rows, dtype=np.int32)))
    audio = pa.StructArray.from_arrays([paths, pa.nulls(rows, pa.binary())], ["path", "bytes"])
    held = {name: batch.column(name) for name in batch.schema.names} | {
        "audio": audio,
        "byte_offset": pa.array(np.full(rows, offset)),
        "byte_length": pa.array(np.full(rows, length)),
        "digest": pa.array([f"{one:016x}" for one in numbers.tolist()]),
    }
    columns = [
        held[field.name].cast(field.type) if field.name in held else pa.nulls(rows, field.type)
        for field in ROW_SCHEMA
    ]
    full = measured(pa.RecordBatch.from_arrays(columns, schema=ROW_SCHEMA))
    more = [
        pa.nulls(rows, pa.string()),
        pa.nulls(rows, pa.string()),
        pa.array(stored_label_bounds(batch.column("text")).astype(np.int32)),
        pa.array(sentence_hashes(batch.column("text"))),
        pa.array(numbers),
    ]
    return pa.RecordBatch.from_arrays([*full.columns, *more], schema=INDEX_SCHEMA)


if __name__ == "__main__":
    main()
