"""``launch=ray`` without a Ray: what is refused before one is asked, and what jobs come to."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiers import fast_where

from mynah import console
from mynah.cli.main import main
from mynah.config.schema import LaunchConfig
from mynah.errors import UserError
from mynah.launching.on_ray import cluster, place, worker
from mynah.launching.on_ray.process import this_machine, ticks_of
from mynah.launching.on_ray.worker import JobOnRay, begin
from mynah.launching.records import JobRecord, keep, named

TRAIN = ["train", "model=small", "launch=ray", "launch.gpus_per_node=0"]
GIB = 1 << 30
TWO_SMALL = [{"CPU": 2.0, "memory": 8.0 * GIB}] * 2
WITH_GPUS = [{"CPU": 32.0, "GPU": 4.0, "memory": 256.0 * GIB, "accelerator_type:A100": 1.0}]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(console.console(), "_width", 120)
    # Whether ray is installed where tests run does not matter to what is found before it is.
    found = importlib.util.find_spec
    known = {"ray": importlib.util.find_spec("json")}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: known.get(name) or found(name))
    return tmp_path


def launch(**settings) -> LaunchConfig:
    return LaunchConfig(launcher="ray", **settings)


# What Ray has, and what is asked of it


@pytest.mark.parametrize(
    ("nodes", "settings", "share"),
    [
        (TWO_SMALL, {"nodes": 2, "processes_per_node": 2}, "1 core"),
        (TWO_SMALL, {"cpus_per_process": 2, "memory": "8G"}, "2 cores, 8 GiB"),
        (TWO_SMALL, {"processes_per_node": 2, "memory": "8G"}, "1 core, 4 GiB"),
        (TWO_SMALL, {"nodes": 3, "least_processes": 1}, "1 core"),
        (WITH_GPUS, {"gpus_per_node": 4}, "1 core, 1 GPU"),
        (WITH_GPUS, {}, "1 core, 1 GPU"),  # one a process, where there are some
        (WITH_GPUS, {"gpus_per_node": 4, "processes_per_node": 8}, "1 core, 0.5 GPUs"),
        (WITH_GPUS, {"gpus_per_node": 0}, "1 core"),
        (WITH_GPUS, {"gpus_per_node": 2, "gpu_type": "a100"}, "1 core, 1 A100 GPU"),
    ],
)
def test_what_fits_is_given_by_process(nodes, settings, share):
    assert str(cluster.check_room(nodes, launch(**settings))) == share


@pytest.mark.parametrize(
    ("nodes", "settings", "asked"),
    [
        (TWO_SMALL, {"nodes": 3}, "3 nodes with 1 core"),
        (TWO_SMALL, {"processes_per_node": 3}, "1 node with 3 times 1 core"),
        (TWO_SMALL, {"cpus_per_process": 3}, "1 node with 3 cores"),
        (TWO_SMALL, {"gpus_per_node": 1}, "1 node with 1 core, 1 GPU"),
        (TWO_SMALL, {"memory": "9G"}, "1 node with 1 core, 9 GiB"),
        (TWO_SMALL, {"nodes": 6, "least_processes": 5}, "5 processes of 1 core"),
        (WITH_GPUS, {"gpus_per_node": 1, "gpu_type": "h100"}, "1 node with 1 core, 1 H100 GPU"),
        (WITH_GPUS, {"gpus_per_node": 8}, "1 node with 8 times 1 core, 1 GPU"),
    ],
)
def test_more_than_there_is_is_refused_and_both_are_said(nodes, settings, asked):
    with pytest.raises(UserError) as refused:
        cluster.check_room(nodes, launch(**settings))
    said = str(refused.value)
    assert f"asks for {asked}" in said and f"Ray has {len(nodes)} node" in said


@pytest.mark.parametrize(("text", "size"), [("64G", 64 << 30), ("512", 512 << 20), ("1t", 1 << 40)])
def test_memory_is_read_as_slurm_reads_it(text, size):
    assert cluster.memory_bytes(text) == size


# What is refused at once


def test_without_ray_the_extra_is_named_and_nothing_is_written(here, monkeypatch, capsys):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "ray" else found(name)
    )
    assert main(TRAIN) == 2
    assert 'pip install "mynah-asr[ray]"' in capsys.readouterr().err
    assert not list(here.iterdir())


def test_an_address_where_nothing_answers_is_said_in_seconds(here, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        started = time.monotonic()
        port = taken.getsockname()[1]
        assert main([*TRAIN, f"launch.address=127.0.0.1:{port}"]) == 2
    assert time.monotonic() - started < 10
    said = capsys.readouterr().err
    assert f"No Ray answers at 127.0.0.1:{port}: Connection refused" in said
    assert "launch.address" in said and "ray start --head" in said
    assert not list(here.iterdir())


@pytest.mark.parametrize("address", ["ray://head:10001", "head", "http://head:8265", "head:ray"])
def test_an_address_of_another_kind_is_said_with_what_one_looks_like(here, capsys, address):
    assert main([*TRAIN, f"launch.address='{address}'"]) == 2
    said = capsys.readouterr().err
    assert "HOST:PORT" in said and "launch.address=auto" in said


def test_more_cores_than_this_machine_has_are_refused_before_anything_starts(here, capsys):
    assert main([*TRAIN, "launch.cpus_per_process=5000"]) == 2
    said = capsys.readouterr().err
    assert "asks for 1 node with 5000 cores" in said and f"{os.cpu_count()} core" in said
    assert not list(here.iterdir())


def test_a_process_of_a_launched_training_starts_no_job(here, monkeypatch, capsys):
    for name, value in {
        "RANK": "0",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "x",
        "MASTER_PORT": "1",
    }.items():
        monkeypatch.setenv(name, value)
    assert main(TRAIN) == 2
    assert "without srun or torchrun" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "said"),
    fast_where(
        lambda typed, _: "launch.retries=1" in typed or "launch.time=12h" in typed,
        [
            (["launch=ray", "launch.partition=gpu"], "launch.partition is SLURM's"),
            (["launch=ray", "launch.time=12h"], "launch.time is SLURM's"),
            (["launch=slurm", "launch.address=head:6379"], "launch.address is Ray's"),
            (["launch=slurm", "launch.retries=1"], "launch.retries is Ray's"),
            (["launch=ray", "launch.least_processes=3", "launch.nodes=2"], "and the job has 2"),
        ],
    ),
)
def test_a_setting_that_the_launcher_does_not_heed_is_a_mistake(here, capsys, typed, said):
    assert main(["train", "model=small", *typed]) == 2
    assert said in capsys.readouterr().err


# What a node begins


@pytest.fixture
def job(tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "_own_address", lambda: "10.0.0.1")
    return JobOnRay(
        ["train", "model=small"], tmp_path, tmp_path / "job.log", tmp_path, processes=4,
        accumulation=3, checkpoints=tmp_path / "model", run=tmp_path,
    )  # fmt: skip


def commit(job: JobOnRay) -> None:
    (job.checkpoints / "checkpoint-5").mkdir(parents=True)


@pytest.mark.parametrize(
    ("workers", "processes", "accumulation"),
    # Twelve batches a step: 4 x 3, 2 x 6, 1 x 12; four ranks are dealt evenly to no three.
    [(4, 4, None), (3, 2, 6), (2, 2, 6), (1, 1, 12)],
)
def test_fewer_processes_add_up_more_batches_for_the_same_step(
    job, workers, processes, accumulation
):
    begun = begin(job, workers)
    assert begun.processes == processes
    added = [] if accumulation is None else [f"training.gradient_accumulation_steps={accumulation}"]
    assert list(begun.words) == [*job.words, *added]


def test_a_training_that_begins_again_resumes_itself(job):
    assert list(begin(job, 4).words) == list(job.words)  # nothing is there yet
    commit(job)
    resumed = f"resume_from_checkpoint={job.run}"
    assert resumed in [word.replace("'", "") for word in begin(job, 4).words]
    assert [one.resumed for one in place.read_starts(job.directory)] == [False, True]
    assert "Start 2: 4 processes" in job.log.read_text()


def test_what_was_typed_is_resumed_first_and_then_the_training_itself(job):
    import dataclasses

    commit(job)
    typed = dataclasses.replace(job, first="resume_from_checkpoint=other")
    assert begin(typed, 4).words[-1] == "resume_from_checkpoint=other"
    assert "other" not in begin(typed, 4).words[-1]


def test_an_evaluation_begins_from_nothing_again(job):
    import dataclasses

    commit(job)
    measured = dataclasses.replace(job, checkpoints=None, run=None, accumulation=None)
    assert [list(begin(measured, 4).words) for _ in range(2)] == [list(job.words)] * 2


def test_secrets_do_not_travel_with_a_job(monkeypatch):
    for name in (
        "MYNAH_CACHE",
        "HF_HOME",
        "HF_TOKEN",
        "MYNAH_SERVE_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
    ):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv(place.JOB_VARIABLE, "x")
    names = set(place.passed_on())
    assert {"MYNAH_CACHE", "HF_HOME"} <= names
    assert (
        not {"HF_TOKEN", "MYNAH_SERVE_TOKEN", "AWS_SECRET_ACCESS_KEY", place.JOB_VARIABLE} & names
    )


# mynah jobs


@pytest.fixture
def waiting(here):
    """A job whose process only waits."""
    process = subprocess.Popen([sys.executable, "-c", "import time; print(); time.sleep(600)"],
                               stdout=subprocess.PIPE)  # fmt: skip
    process.stdout.read(1)
    directory = here / "run"
    directory.mkdir()
    record = JobRecord(
        "ray1", "training", str(directory), str(directory / "job.log"), "", launcher="ray",
        process=process.pid, began=ticks_of(process.pid), machine=this_machine(),
    )  # fmt: skip
    keep(record, here)
    yield directory, process
    process.kill()
    process.wait()
    process.stdout.close()


def state(capsys) -> str:
    capsys.readouterr()
    assert main(["jobs"]) == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "ray1" in line]
    return row.split("│")[3].strip()


def test_a_job_is_pending_until_its_processes_start_and_then_runs(waiting, capsys):
    directory, _ = waiting
    assert state(capsys) == "pending"
    place.note_start(directory, 2, resumed=False)
    assert state(capsys) == "running"
    place.note_start(directory, 1, resumed=True)
    assert state(capsys) == "running, start 2"


def test_a_job_that_is_cancelled_gets_the_signal_that_lets_it_save(waiting, capsys):
    _, process = waiting
    assert main(["jobs", "cancel", "ray1"]) == 0
    assert process.wait(timeout=10) == -signal.SIGTERM
    assert state(capsys) == "killed"  # this one has said nothing of its end


def test_an_ended_job_is_what_its_exit_status_says(waiting, capsys):
    directory, process = waiting
    process.kill()
    process.wait()
    for status, told in ((0, "done"), (130, "interrupted"), (2, "failed"), (1, "failed")):
        (directory / "job.exits").write_text(f"{status} 61\n")
        assert state(capsys) == told


def test_another_process_of_the_same_number_is_not_the_job(here, capsys):
    (here / "run").mkdir()
    keep(
        JobRecord("ray1", "training", str(here / "run"), "log", "", launcher="ray",
                  process=os.getpid(), began=1, machine=this_machine()),
        here,
    )  # fmt: skip
    assert state(capsys) == "killed"
    assert main(["jobs", "cancel", "ray1"]) == 0
    assert "has ended already" in capsys.readouterr().out


def test_a_job_of_another_machine_is_cancelled_there(here, capsys):
    (here / "run").mkdir()
    keep(
        JobRecord("ray1", "training", str(here / "run"), "log", "", launcher="ray",
                  process=1, began=1, machine="head"),
        here,
    )  # fmt: skip
    assert "on head" in state(capsys)
    assert main(["jobs", "cancel", "ray1"]) == 2
    assert "ssh head" in capsys.readouterr().err


def test_a_record_comes_back_as_it_was_kept(here):
    record = JobRecord("ray3", "training", "d", "l", "", launcher="ray", process=5, began=7,
                       machine="m")  # fmt: skip
    keep(record, Path.cwd())
    assert named("ray3", Path.cwd()) == (record, None)
