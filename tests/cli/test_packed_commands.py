"""Training, evaluating and resuming on packed shards: bit for bit as on the corpus itself."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from data_helpers import tone
from forked_commands import environment
from workspaces import assert_trained, clone, run, run_directories

from mynah.checkpoints.commit import find_damage

SETTINGS = (
    "model=small data.eval_splits=[dev] training.per_device_train_batch_size=4 "
    "training.max_steps=6 training.save_steps=3 training.eval_steps=3 model.encoder.layers=1 "
    "data.on_impossible=drop 'data.augmentation.speed_factors=[0.9,1.0,1.1]' "
    "evaluation.bootstrap_samples=50 data.dataset_cache_dir=cache"
)
WORDS = ("ab", "cd", "ea", "fb", "gd")


def write_corpus(folder: Path) -> None:
    """Recordings of their own, and pieces of one that is long and stereo; 40 rows and 8."""
    folder.mkdir()
    both = np.stack([tone(30, 16000, 300), tone(30, 16000, 420)], axis=1)
    soundfile.write(folder / "long.wav", both, 16000)
    rows = []
    for number in range(48):
        text = " ".join(WORDS[number // 5**place % 5] for place in range(1 + number % 2))
        row = {"text": text, "split": "dev" if number % 6 == 5 else "train"}
        row["speaker"] = f"s{number % 4}"
        if number % 3:
            row["file_name"] = f"{number}.flac"
            sound = tone(1 + 0.02 * number, 16000, 200 + 9 * number)
            soundfile.write(folder / row["file_name"], sound, 16000)
        else:
            row |= {"file_name": "long.wav", "offset": number / 2, "duration": 1.5}
        rows.append(json.dumps(row) + "\n")
    (folder / "metadata.jsonl").write_text("".join(rows))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A clone with a corpus, its shards, and a training on each."""
    folder = clone(tmp_path_factory.mktemp("packed") / "clone")
    write_corpus(folder / "corpus")
    packed = run(
        folder,
        "mynah data pack corpus data.dataset_cache_dir=cache --to shards --shard-size 100K",
    )
    assert packed.returncode == 0, packed.stdout + packed.stderr
    assert len(list((folder / "shards").glob("train-*.tar"))) > 3
    for name in ("corpus", "shards"):
        trained(folder, name, f"data.dataset_name={name}")
    return folder


def trained(folder: Path, name: str, *more: str) -> Path:
    """A training's checkpoints, in a folder of its own."""
    done = run(folder, f"mynah train {SETTINGS} training.output_dir=models/{name} {' '.join(more)}")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "models" / name


def weights(folder: Path, name: str, step: int = 6) -> bytes:
    checkpoint = folder / "models" / name / f"checkpoint-{step}"
    assert find_damage(checkpoint) is None
    return (checkpoint / "model.safetensors").read_bytes()


def results(folder: Path, of: str) -> tuple[dict, list]:
    """What the last run on a corpus measured, its times and places left out."""
    (directory,) = [
        one
        for one in run_directories(folder)
        if json.loads((one / "run.json").read_text())["kind"] == "training"
        and f"models/{of}\n" in (one / "config.yaml").read_text()
    ]
    account = json.loads((directory / "data.json").read_text())
    for name in ("format", "identity"):
        account.pop(name)
    lines = (directory / "evaluation" / "utterances.jsonl").read_text().splitlines()
    return account, [json.loads(line) for line in lines]


@pytest.mark.long
def test_a_training_on_packed_shards_ends_in_the_same_weights(folder):
    for step in (3, 6):
        assert weights(folder, "shards", step) == weights(folder, "corpus", step)


@pytest.mark.long
def test_the_account_and_the_evaluation_are_the_same(folder):
    (account, rows), (plain_account, plain) = results(folder, "shards"), results(folder, "corpus")
    assert account.pop("corpus") == plain_account.pop("corpus")
    assert account == plain_account
    assert len(rows) == 8
    for ours, theirs in zip(rows, plain, strict=True):
        differing = {name for name in ours | theirs if ours.get(name) != theirs.get(name)}
        assert differing <= {"audio"}, (ours, theirs)


@pytest.mark.long
@pytest.mark.parametrize(("begun", "resumed"), [("corpus", "shards"), ("shards", "corpus")])
def test_a_training_is_resumed_on_the_other_of_the_two(folder, begun, resumed):
    name = f"{begun}-then-{resumed}"
    trained(folder, name, f"data.dataset_name={begun} training.max_steps=3 "
            "training.lr_scheduler_type=constant training.warmup_steps=0")  # fmt: skip
    trained(folder, f"{name}-all", f"data.dataset_name={begun} "
            "training.lr_scheduler_type=constant training.warmup_steps=0")  # fmt: skip
    trained(
        folder,
        name,
        f"data.dataset_name={resumed} resume_from_checkpoint=models/{name}/checkpoint-3 "
        "training.lr_scheduler_type=constant training.warmup_steps=0",
    )
    assert weights(folder, name) == weights(folder, f"{name}-all")


@pytest.mark.long
def test_two_ranks_and_a_worker_end_in_the_same_weights_too(folder):
    for name in ("corpus", "shards"):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        launched = "-m torch.distributed.run --nproc-per-node=2 --master-addr=127.0.0.1"
        settings = f"{SETTINGS} data.dataset_name={name} training.output_dir=models/{name}-ranks"
        command = [
            sys.executable, *launched.split(), f"--master-port={port}", "src/train_hydra.py",
            *settings.replace("'", "").split(), "training.dataloader_num_workers=1",
        ]  # fmt: skip
        done = subprocess.run(
            command, cwd=folder, env=environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert weights(folder, "shards-ranks") == weights(folder, "corpus-ranks")


@pytest.mark.long
def test_a_checkpoint_of_the_corpus_is_measured_on_the_shards(folder):
    done = run(
        folder, "mynah eval models/corpus shards data.eval_splits=[dev] "
        "evaluation.bootstrap_samples=50"
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    newest = max(run_directories(folder), key=lambda one: (one / "run.json").stat().st_mtime)
    found = (newest / "evaluation" / "utterances.jsonl").read_text().splitlines()
    _, plain = results(folder, "corpus")
    hypotheses = {row["id"]: row["hypothesis"] for row in plain}
    assert {row["id"]: row["hypothesis"] for row in map(json.loads, found)} == hypotheses


@pytest.mark.long
def test_the_embedded_corpus_is_packed_and_trained_on(tmp_path):
    folder = clone(tmp_path / "clone")
    packed = run(
        folder, "mynah data pack data.synthesis.train_sentences=24 "
        "data.synthesis.eval_sentences=4 --to shards"
    )  # fmt: skip
    assert packed.returncode == 0, packed.stdout + packed.stderr
    done = run(
        folder, "mynah train model=small data.dataset_name=shards data.eval_splits=[validation] "
        "training.max_steps=2 training.eval_steps=2 model.encoder.layers=1 "
        "evaluation.bootstrap_samples=50"
    )  # fmt: skip
    assert_trained(folder, done, utterances={"validation": 4}, settings={})
