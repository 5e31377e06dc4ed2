"""A corpus in a bucket gives the rows that it gives on a disk, whatever the network does.

The bucket is moto's server on loopback, behind a proxy that injects the faults; what is right is
what the same files give on this disk.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from itertools import islice

import pytest
from buckets import bucket
from forked_commands import environment
from shard_files import (
    transcripts,
    write_arrow,
    write_manifest,
    write_nemo_tars,
    write_parquet,
    write_shar,
    write_tar,
)
from stored_trainings import Trainings, model_of

from mynah.config.schema import DataConfig
from mynah.data.streams.stream import open_stream
from mynah.data.streams.windows import Mark
from mynah.errors import UserError
from mynah.storage import ranges, store

pytestmark = pytest.mark.long

FAULTS = ["busy", "cut", "dropped", "internal", "expired 403", "slow", "gateway"]
WRITERS = {
    "parquet": write_parquet, "arrow": write_arrow, "tar": write_tar, "tar.gz": write_tar,
}  # fmt: skip


@pytest.fixture
def stored(monkeypatch, tmp_path):
    with bucket() as found:
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("MYNAH_CACHE", str(tmp_path / "cache"))
        yield found


LAYOUTS = [*WRITERS, "nemo", "nemo sharded", "shar"]


def shards(folder, ending, number=5, rows=12):
    if ending.startswith("nemo"):
        texts = [transcripts(rows, seed=shard) for shard in range(number)]
        write_nemo_tars(folder, texts, sharded=ending == "nemo sharded")
        return folder
    for shard in range(number):
        texts = transcripts(rows, seed=shard)
        ids = [f"{shard}-{row:03d}" for row in range(rows)]
        if ending == "shar":
            write_shar(folder, shard, ids, texts)
        else:
            WRITERS[ending](folder / f"train-{shard:05d}.{ending}", ids, texts)
    return folder


def stream(place, folder):
    config = DataConfig(dataset_name=str(place), streaming=True, shuffle_buffer=16)
    config.sample_rate = 8000
    return open_stream(config, offline=False, working_directory=folder)


def rows_of(opened, shard, start=0):
    return [(row.id, row.text, row.audio) for row in opened.reader.rows(shard, start)]


@pytest.mark.parametrize("ending", LAYOUTS)
def test_after_fifty_faults_no_row_is_lost_or_doubled(tmp_path, stored, monkeypatch, ending):
    monkeypatch.setattr(ranges, "BLOCK", 2048)  # many requests
    disk = shards(tmp_path / "corpus", ending)
    stored.upload(disk, "corpus")
    expected = stream(disk, tmp_path)
    # Every third request fails; one in twelve is followed by another that does.
    stored.proxy.fault = lambda request: (
        FAULTS[request.number % 7] if request.number % 3 == 2 or request.number % 12 == 3 else None
    )
    opened = stream("s3://speech/corpus", tmp_path)

    for shard in range(5):
        assert rows_of(opened, shard) == rows_of(expected, shard)
        assert rows_of(opened, shard, 7) == rows_of(expected, shard, 7)  # of the middle on
    assert opened.reader.shards == expected.reader.shards
    assert opened.fingerprint == expected.fingerprint
    if ending in ("tar", "nemo", "shar"):
        assert sum(stored.proxy.met.values()) >= 50, stored.proxy.met
    assert len(stored.proxy.met) == 7, stored.proxy.met


@pytest.mark.parametrize("ending", ["tar", "nemo", "shar"])
def test_windows_continue_in_the_middle_of_a_shard_as_from_a_disk(
    tmp_path, stored, monkeypatch, ending
):
    monkeypatch.setattr(ranges, "BLOCK", 4096)
    disk = shards(tmp_path / "corpus", ending)
    stored.upload(disk, "corpus")
    stored.proxy.fault = lambda request: (
        FAULTS[request.number % 7] if request.number % 3 == 1 else None
    )

    def windows(place, mark=None):
        opened = stream(place, tmp_path)
        made = opened.windows(seed=3).iterate(mark)
        return [(w.mark.as_dict(), [one.row.id for one in w.rows]) for w in islice(made, 6)]

    expected = windows(disk)
    assert windows("s3://speech/corpus") == expected
    middle = expected[2][0]
    assert middle["row"] > 0
    assert windows("s3://speech/corpus", Mark(**middle))[:4] == expected[2:]


@pytest.mark.parametrize("ending", ["nemo", "nemo sharded", "shar"])
def test_transcripts_of_tars_are_read_from_a_bucket_without_the_tars(tmp_path, stored, ending):
    disk = shards(tmp_path / "corpus", ending, number=2)
    stored.upload(disk, "corpus")
    opened = stream("s3://speech/corpus", tmp_path)
    assert list(opened.tokenizer_texts) == list(stream(disk, tmp_path).tokenizer_texts)
    assert not any(".tar" in one.path for one in stored.proxy.requests if one.range)


def test_a_manifest_in_a_bucket_names_the_tars_beside_it(tmp_path, stored):
    disk = shards(tmp_path / "corpus", "nemo", number=3)
    (disk / "other.tar").write_bytes((disk / "audio_0.tar").read_bytes())
    stored.upload(disk, "corpus")
    named = "tarred_audio_manifest.json"
    opened = stream(f"s3://speech/corpus/{named}", tmp_path)
    assert rows_of(opened, 2) == rows_of(stream(disk / named, tmp_path), 2)
    assert opened.reader.shards == ("audio_0.tar", "audio_1.tar", "audio_2.tar")
    (disk / "audio_2.tar").unlink()
    stored.client.delete_object(Bucket="speech", Key="corpus/audio_2.tar")
    with pytest.raises(UserError, match=r"missing: audio_2\.tar") as problem:
        stream("s3://speech/corpus", tmp_path)
    assert problem.value.where == f"s3://speech/corpus/{named}"


def test_a_bucket_that_vanishes_in_the_middle_ends_with_its_name(tmp_path, stored, monkeypatch):
    monkeypatch.setattr(ranges, "BLOCK", 2048)
    stored.upload(shards(tmp_path / "corpus", "tar"), "corpus")
    opened = stream("s3://speech/corpus", tmp_path)
    first = len(stored.proxy.requests)
    stored.proxy.fault = lambda request: "vanished" if request.number > first + 3 else None

    with pytest.raises(UserError, match=r"There is no bucket speech."):
        rows_of(opened, 0)


def test_credentials_that_stay_expired_end_with_how_to_renew_them(tmp_path, stored, monkeypatch):
    monkeypatch.setattr(store.Patience, "__init__", lambda self: None)
    monkeypatch.setattr(store.Patience, "pauses", (0.01, 0.01), raising=False)
    stored.upload(shards(tmp_path / "corpus", "tar"), "corpus")
    opened = stream("s3://speech/corpus", tmp_path)
    stored.proxy.fault = lambda request: "expired"

    with pytest.raises(UserError, match=r"have expired") as problem:
        rows_of(opened, 0)
    assert "aws sso login" in problem.value.fix


SETTINGS = (
    "model=small", "model.encoder.layers=1", "data.eval_splits=[dev]", "data.sample_rate=8000",
    "data.text_case=lower", "evaluation.bootstrap_samples=50",
    "training.per_device_train_batch_size=4",
)  # fmt: skip
STREAMED = (
    "data.streaming=true", "data.shuffle_buffer=16", "training.max_steps=30",
    "training.eval_steps=5", "training.save_steps=5", "training.save_total_limit=9",
)  # fmt: skip


TRAININGS = Trainings(SETTINGS)
command, train = TRAININGS.command, TRAININGS.run


def corpus(folder, ending="tar"):
    if ending == "tar":
        shards(folder, "tar")
        ids = [f"dev{row}" for row in range(4)]
        write_tar(folder / "dev-00000.tar", ids, transcripts(4, seed=9))
    else:
        shards(folder / "train", ending)
        shards(folder / "dev", ending, number=1, rows=4)
    return folder


@pytest.mark.parametrize("ending", ["tar", "nemo", "shar"])
def test_a_training_streamed_from_a_bucket_killed_and_resumed_is_that_from_a_disk(
    tmp_path, stored, ending
):
    disk = corpus(tmp_path / "corpus", ending)
    stored.upload(disk, "corpus")
    done = train(tmp_path / "disk", stored, *STREAMED, f"data.dataset_name={disk}")
    assert done.returncode == 0, done.stderr
    stored.proxy.fault = lambda request: FAULTS[request.number % 7] if request.number % 3 else None
    there = "data.dataset_name=s3://speech/corpus"
    folder = tmp_path / "bucket"
    folder.mkdir()
    training = subprocess.Popen(
        command(*STREAMED, there), cwd=folder, env=environment(**stored.environment),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    while not list(folder.glob("outputs/*/*/model/checkpoint-10")):
        assert training.poll() is None, training.stdout.read()
        time.sleep(0.01)
    training.send_signal(signal.SIGKILL)
    training.communicate()
    assert not list(folder.glob("outputs/*/*/model/checkpoint-30"))

    resumed = train(folder, stored, *STREAMED, there, "resume_from_checkpoint=last")

    assert resumed.returncode == 0, resumed.stderr
    assert "Resuming at step" in resumed.stdout
    assert model_of(folder) == model_of(tmp_path / "disk")


def test_a_corpus_that_is_fetched_trains_as_from_a_disk_and_only_once_over_the_network(
    tmp_path, stored
):
    disk = tmp_path / "corpus"
    for split, rows in (("train", 24), ("dev", 4)):
        ids = [f"{split}{row}" for row in range(rows)]
        write_manifest(disk / f"{split}.jsonl", ids, transcripts(rows, seed=rows))
    for listing in disk.glob("*.jsonl"):  # as a corpus that is moved has it
        listing.write_text(listing.read_text().replace(f"{disk}/", ""))
    stored.upload(disk, "corpus")
    short = ("training.max_steps=4", "training.eval_steps=2", "data.train_splits=[train]")
    done = train(tmp_path / "disk", stored, *short, f"data.dataset_name={disk}")
    assert done.returncode == 0, done.stderr
    stored.proxy.fault = lambda request: FAULTS[request.number % 7] if request.number % 3 else None

    there = train(tmp_path / "bucket", stored, *short, "data.dataset_name=s3://speech/corpus")

    assert there.returncode == 0, there.stderr
    assert model_of(tmp_path / "bucket") == model_of(tmp_path / "disk")
    before = len([one for one in stored.proxy.requests if one.method == "GET" and one.range])
    again = train(tmp_path / "again", stored, *short, "data.dataset_name=s3://speech/corpus")
    after = len([one for one in stored.proxy.requests if one.method == "GET" and one.range])
    assert again.returncode == 0 and after == before


def test_a_corpus_that_only_a_checkpoint_names_is_not_contacted(tmp_path, stored):
    stored.upload(corpus(tmp_path / "corpus"), "corpus")
    there = "data.dataset_name=s3://speech/corpus"
    short = ("data.streaming=true", "training.max_steps=2", "training.eval_steps=2")
    assert train(tmp_path / "run", stored, *short, there).returncode == 0
    asked = len(stored.proxy.requests)

    def measure(*settings):
        return subprocess.run(
            [sys.executable, "-m", "mynah.cli", "eval", "outputs/model", *settings],
            cwd=tmp_path / "run", env=environment(**stored.environment), capture_output=True,
            text=True, check=False,
        )  # fmt: skip

    refused = measure()
    assert refused.returncode == 2 and "asked only where it is named" in refused.stderr
    assert len(stored.proxy.requests) == asked
    done = measure("s3://speech/corpus", "data.eval_splits=[dev]", "data.streaming=true")
    assert done.returncode == 0, done.stderr
