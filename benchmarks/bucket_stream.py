"""A corpus streamed from a bucket against the same from this disk: CPU seconds, and waiting.

    python benchmarks/bucket_stream.py [--minutes 60] [--clip-seconds 12] [--repeats 5]

FLAC recordings of noise in tar shards lie on this disk and in a bucket: moto's S3 server on
loopback, in a process of its own (`pip install "moto[server]"`). Passes in turns, each in a fresh
process:

    reading    rows in the order of a training, nothing decoded
    batches    the loader of a training: reading, decoding, features, labels

from the disk, from the bucket with an empty cache, and from the bucket in a second pass, whose
blocks are on the disk. Printed are CPU seconds for an hour of audio, medians, and their ratio to
the disk's. Then `mynah train model=small` streams both for --steps steps: the share of the time
that it waited for data.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from mynah import console
from mynah.config.hydra.compose import compose
from mynah.data.augmentation.chain import Augmentation
from mynah.data.streams.stream import open_stream
from mynah.models import registry
from mynah.training.loading.dataset import PlanSampler, TrainingRows
from mynah.training.loading.loader import make_loader
from mynah.training.loading.stream_loader import StreamPlan

RATE = 16000
SHARDS = 8
WORDS = ("the", "of", "and", "to", "in", "that", "was", "his", "he", "it", "with", "is", "for")
WAYS = ("disk", "bucket", "bucket, second pass")
SERVER = "import sys; from moto.server import main; main(['-H', '127.0.0.1', '-p', sys.argv[1]])"
TRAINING = [
    "model=small", "data.streaming=true", "data.eval_splits=[]", "training.eval_strategy=no",
    "training.save_strategy=no", "training.load_best_model_at_end=false", "data.tokenizer_rows=64",
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--clip-seconds", type=float, default=12.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        what, address, rows = arguments.measure
        print(json.dumps(measured(what, address, int(rows))))
        return
    rows = max(SHARDS, round(arguments.minutes * 60 / arguments.clip_seconds))
    with tempfile.TemporaryDirectory(prefix="bucket-stream-") as held, bucket() as found:
        place = Path(held)
        disk = write_corpus(place / "corpus", rows, arguments.clip_seconds)
        upload(disk, found)
        os.environ |= found
        hours = rows * arguments.clip_seconds / 3600
        for what in ("reading", "batches"):
            compare(what, disk, place, (rows, hours), arguments.repeats)
        if arguments.steps:
            waiting(disk, place, arguments.steps)


def compare(what: str, disk: Path, place: Path, size: tuple[int, float], repeats: int) -> None:
    """Print CPU seconds an hour of each way."""
    rows, hours = size
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for repeat in range(repeats):
        os.environ["MYNAH_CACHE"] = str(place / f"cache {what} {repeat}")
        for name in WAYS if repeat % 2 else ("bucket", "bucket, second pass", "disk"):
            address = str(disk) if name == "disk" else "s3://speech/corpus"
            command = [sys.executable, __file__, "--measure", what, address, str(rows)]
            done = subprocess.run(command, capture_output=True, text=True, cwd=place)
            if done.returncode:
                sys.exit(done.stdout + done.stderr)
            seconds[name].append(json.loads(done.stdout.splitlines()[-1]) / hours)
    lines = []
    for name, found in seconds.items():
        ratios = [a / b for a, b in zip(found, seconds["disk"], strict=True)]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        lines.append(
            [name, f"{statistics.median(found):.2f}", f"{statistics.median(ratios):.2f}", spread]
        )
    columns = [what, "CPU s an hour of audio", "to the disk's", "of the repeats"]
    console.table(f"{hours:.1f} hours of audio, {repeats} repeats", columns, lines)


def measured(what: str, address: str, rows: int) -> float:
    """CPU seconds of this process for one pass."""
    overrides = [*TRAINING, f"data.dataset_name={address}", "training.max_steps=1000000"]
    config = compose(overrides).config
    stream = open_stream(config.data, offline=False, working_directory=Path.cwd())
    if what == "reading":
        started = time.process_time()
        for shard in range(len(stream.reader.shards)):
            for _ in stream.reader.rows(shard, 0):
                pass
        return time.process_time() - started
    family = registry.build(config.model, texts=[*WORDS], sample_rate=RATE, offline=True)
    augmentation = Augmentation.open(config.data.augmentation, sample_rate=RATE, seed=1)
    loader = make_loader(
        TrainingRows(family, stream, augmentation), PlanSampler(StreamPlan(stream, config)),
        pin_memory=False, num_workers=0,
    )  # fmt: skip
    started, done = time.process_time(), 0
    for batch in loader:
        done += len(batch["ids"])
        if done >= rows:
            break
    return time.process_time() - started


def waiting(disk: Path, place: Path, steps: int) -> None:
    """Print the share of the time that a training waits for its data."""
    lines = []
    for name in ("disk", "bucket"):
        address = str(disk) if name == "disk" else "s3://speech/corpus"
        os.environ["MYNAH_CACHE"] = str(place / f"cache of the training from {name}")
        command = [
            sys.executable, "-m", "mynah.cli", "train", *TRAINING, f"data.dataset_name={address}",
            f"training.max_steps={steps}", f"hydra.run.dir={place / name}",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, cwd=place)
        found = re.search(r"Waited for data: ([\d.]+%)", done.stdout)
        if done.returncode or found is None:
            sys.exit(done.stdout + done.stderr)
        lines.append([name, found[1]])
    console.table(f"A training of {steps} steps", ["corpus", "waited for data"], lines)


def write_corpus(root: Path, rows: int, seconds: float) -> Path:
    """Tar shards of FLAC and text."""
    root.mkdir()
    for shard in range(SHARDS):
        with tarfile.open(root / f"train-{shard:05d}.tar", "w") as archive:
            for row in range(shard, rows, SHARDS):
                draw = np.random.default_rng(row)
                held = io.BytesIO()
                audio = np.convolve(draw.standard_normal(int(RATE * seconds)), np.ones(8) / 8)
                soundfile.write(held, (0.2 * audio).astype(np.float32), RATE, format="FLAC")
                text = " ".join(draw.choice(WORDS, int(seconds * 2)))
                for ending, content in (("flac", held.getvalue()), ("txt", text.encode())):
                    about = tarfile.TarInfo(f"{row:07d}.{ending}")
                    about.size = len(content)
                    archive.addfile(about, io.BytesIO(content))
    return root


@contextmanager
def bucket() -> Iterator[dict[str, str]]:
    """The environment that finds an S3 server on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", SERVER, str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true", "no_proxy": "127.0.0.1",
        }  # fmt: skip
    finally:
        server.kill()
        server.wait()


def upload(folder: Path, environment: dict[str, str]) -> None:
    """Copy the shards into the bucket ``speech``."""
    import boto3

    client = boto3.client(
        "s3", endpoint_url=environment["AWS_ENDPOINT_URL"], region_name="us-east-1",
        aws_access_key_id="somebody", aws_secret_access_key="secret",
    )  # fmt: skip
    client.create_bucket(Bucket="speech")
    for path in sorted(folder.iterdir()):
        client.upload_file(str(path), "speech", f"corpus/{path.name}")


if __name__ == "__main__":
    main()
