"""A training whose machine is lost resumes from its bucket, through a network that fails.

The bucket is moto's server on loopback, behind a proxy that injects the faults.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import time

import pytest
from buckets import bucket
from forked_commands import environment
from stored_trainings import Trainings, model_of

pytestmark = pytest.mark.long

SETTINGS = (
    "model=small", "model.encoder.layers=1", "training.max_steps=40", "training.eval_steps=10",
    "training.save_steps=10", "training.save_total_limit=9", "data.max_train_samples=16",
    "data.max_eval_samples=4", "data.synthesis.train_sentences=24",
    "evaluation.bootstrap_samples=50",
)  # fmt: skip


@pytest.fixture
def stored():
    with bucket() as found:
        yield found


TRAININGS = Trainings(SETTINGS)
command, train = TRAININGS.command, TRAININGS.run


def test_a_training_whose_machine_is_lost_ends_with_the_weights_of_one_that_was_not(
    tmp_path, stored
):
    assert train(tmp_path / "untouched", stored).returncode == 0
    mirror = "training.mirror=s3://speech/runs/one"
    # Every seventh request fails, each time in another way.
    faults = ["busy", "cut", "dropped", "internal", "expired"]
    stored.proxy.fault = lambda request: (
        faults[request.number // 7 % 5] if request.number % 7 == 6 else None
    )
    lost = tmp_path / "lost"
    lost.mkdir()
    training = subprocess.Popen(
        command(mirror), cwd=lost, env=environment(**stored.environment),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    while not any("checkpoint-10/SHA256SUMS" in name for name in stored.names()):
        assert training.poll() is None, training.stdout.read()
        time.sleep(0.02)
    training.send_signal(signal.SIGKILL)
    training.communicate()
    assert not list(lost.glob("outputs/*/*/model/checkpoint-40"))
    shutil.rmtree(lost)

    resumed = train(tmp_path / "new", stored, mirror, "resume_from_checkpoint=last")

    assert resumed.returncode == 0, resumed.stderr
    assert "checkpoint-10 was fetched from s3://speech/runs/one" in resumed.stdout
    assert model_of(tmp_path / "new") == model_of(tmp_path / "untouched")
    assert stored.get("runs/one/model/model.safetensors") == model_of(tmp_path / "untouched")
    assert "runs/one/evaluation/results.json" in stored.names()
    steps = {name.split("/")[3] for name in stored.names("runs/one/model/checkpoint-")}
    local = {path.name for path in (tmp_path / "new").glob("outputs/*/*/model/checkpoint-*")}
    assert steps == local
    assert len(stored.proxy.met) == 5, stored.proxy.met
    everything = b"".join(
        path.read_bytes() for path in (tmp_path / "new").rglob("*") if path.is_file()
    )
    assert stored.environment["AWS_SECRET_ACCESS_KEY"].encode() not in everything


def test_a_bucket_that_vanishes_costs_no_training_and_is_filled_later(tmp_path, stored):
    mirror = "training.mirror=s3://speech/runs/two"
    stored.proxy.fault = lambda request: (
        "vanished" if request.method == "PUT" and "checkpoint-10" in request.path else None
    )

    done = train(tmp_path / "run", stored, mirror)

    assert done.returncode == 2
    assert "the training continues. There is no bucket speech." in " ".join(done.stdout.split())
    assert "complete here, and its mirror is not" in done.stderr
    assert "resume_from_checkpoint=last copies them" in done.stderr
    assert "runs/two/model/SHA256SUMS" not in stored.names()
    assert "runs/two/model/checkpoint-10/SHA256SUMS" not in stored.names()
    stored.proxy.fault = lambda request: None
    assert train(tmp_path / "run", stored, mirror, "resume_from_checkpoint=last").returncode == 0
    assert stored.get("runs/two/model/model.safetensors") == model_of(tmp_path / "run")


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("denied", "do not allow it to be written"),
        ("wrong", "does not accept the credentials"),
        ("vanished", "There is no bucket speech."),
    ],
)
def test_a_bucket_that_cannot_be_written_is_said_before_anything_is_prepared(
    tmp_path, stored, fault, says
):
    stored.proxy.fault = lambda request: fault if request.method == "PUT" else None

    done = train(tmp_path / "run", stored, "training.mirror=s3://speech/runs/three")

    assert done.returncode == 2 and says in done.stderr
    assert "Preparing" not in done.stdout and stored.names() == []


def test_a_checkpoint_in_a_bucket_is_resumed_from_by_its_address(tmp_path, stored):
    assert train(tmp_path / "untouched", stored).returncode == 0
    (checkpoint,) = (tmp_path / "untouched").glob("outputs/*/*/model/checkpoint-10")
    stored.upload(checkpoint, "kept/checkpoint-10")

    resumed = train(
        tmp_path / "new", stored, "resume_from_checkpoint=s3://speech/kept/checkpoint-10"
    )

    assert resumed.returncode == 0, resumed.stderr
    assert "Resuming at step 10 of 40" in resumed.stdout
    assert model_of(tmp_path / "new") == model_of(tmp_path / "untouched")


def test_jobs_of_a_sweep_have_folders_of_their_own_there_wherever_the_sweep_lies(tmp_path, stored):
    done = train(
        tmp_path / "run", stored, "-m", "training.learning_rate=1e-3,1e-4", "training.max_steps=2",
        "training.eval_steps=2", "training.save_steps=2", "hydra.sweep.dir=elsewhere",
        "training.mirror=s3://speech/runs/sweep",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = {path.parent.name for path in (tmp_path / "run").glob("elsewhere/*/job.json")}
    there = {name.split("/")[2] for name in stored.names("runs/sweep/")}
    assert len(jobs) == 2 and there == jobs
