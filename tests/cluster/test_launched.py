"""``launch=slurm`` on a real SLURM: the command returns at once, its job ends as if run here."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from one_node_slurm import OneNodeSlurm
from slurm_jobs import MEASURED, SCRATCH, SECONDS, STEPS
from workspaces import (
    assert_measured,
    assert_refused,
    clone,
    run,
    run_directories,
)

from mynah.checkpoints.commit import find_damage
from mynah.files import sha256

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
FEW = "training.max_steps=4 training.eval_steps=2 training.save_steps=2"
LAUNCH = "launch=slurm launch.gpus_per_node=0 launch.cpus_per_process=1 launch.time=1h"
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY")


class Folder:
    """Where commands are typed on the login node of a cluster.

    Args:
        slurm: The cluster.
        place: The folder, made here.
        cache: Of prepared corpora.
    """

    def __init__(self, slurm: OneNodeSlurm, place: Path, cache: Path) -> None:
        self._slurm, self.place = slurm, clone(place)
        self._variables = {
            **slurm.environment, "MYNAH_CACHE": str(cache), "PYTHONUNBUFFERED": "1"
        }  # fmt: skip

    def type(self, command: str) -> subprocess.CompletedProcess[str]:
        return run(self.place, command, **self._variables)

    def submit(self, command: str) -> str:
        """The number of the job that a command submits."""
        done = self.type(command)
        assert done.returncode == 0, done.stdout + done.stderr
        found = re.search(r"^Job (\d+) is submitted: ", done.stdout, re.MULTILINE)
        assert found, done.stdout
        return found[1]

    def wait_for(self, job: str | None, reached: Callable[[], bool]) -> None:
        """Wait for something that a job does; None: one of several."""
        end = time.monotonic() + SECONDS
        while not reached():
            assert job is None or self._slurm.job(job)["JobState"] not in ENDED, self.logs()
            assert time.monotonic() < end, self.logs()
            time.sleep(0.02)

    def end_of(self, job: str) -> dict[str, str]:
        """What SLURM says of a job that has ended."""
        end = time.monotonic() + SECONDS
        while (shown := self._slurm.job(job))["JobState"] not in ENDED:
            assert time.monotonic() < end, self.logs()
            time.sleep(0.5)
        return shown

    def logs(self) -> str:
        found = sorted(self.place.glob("outputs/**/*.log"))
        return "\n".join(path.read_text(errors="replace") for path in found)


@pytest.fixture(scope="module")
def cache(untouched):
    """Where the small corpus is prepared already."""
    return untouched(1)[0]


def job_logs(folder: Folder) -> str:
    return "".join(path.read_text() for path in folder.place.glob("outputs/*/*/job.log"))


def results(directory: Path) -> dict[str, object]:
    written = json.loads((directory / "evaluation" / "results.json").read_text())
    return written["evaluations"]["validation"]["metrics"]


@pytest.mark.parametrize("tasks", [1, 2])
def test_a_launched_training_that_is_warned_ends_in_its_directory_with_an_untouched_ones_weights(
    slurm, untouched, tmp_path, tasks
):
    cache, expected = untouched(tasks)
    folder = Folder(slurm, tmp_path / "a folder", cache)  # a blank in the path, as people have
    job = folder.submit(
        f"mynah train model=small {SCRATCH} {LAUNCH} launch.processes_per_node={tasks}"
    )
    folder.wait_for(job, lambda: f"step {MEASURED + 5}/" in folder.logs())
    slurm.warn(job)
    ended = folder.end_of(job)
    assert (ended["JobState"], ended["Restarts"]) == ("COMPLETED", "1"), folder.logs()

    (directory,) = run_directories(folder.place)
    last = directory / "model" / f"checkpoint-{STEPS}"
    assert find_damage(last) is None
    assert sha256(last / "model.safetensors") == expected["weights"]
    assert sha256(last / "optimizer.safetensors") == expected["optimizer"]
    assert_measured(directory, {"validation": 300})
    assert "Traceback" not in folder.logs()

    listed = folder.type("mynah jobs").stdout
    assert job in listed and "completed" in listed and directory.name in listed
    log = folder.type(f"mynah jobs log {job} --lines 100000").stdout
    assert f"Resuming from {directory / 'model'}" in log and "is back in the queue" in log


def test_a_sweep_is_an_array_whose_table_is_written_when_all_jobs_have_ended(
    slurm, cache, tmp_path
):
    folder = Folder(slurm, tmp_path / "sweep", cache)
    grid = f"-m training.seed=1,2,3 model=small {SCRATCH} {FEW}"
    array = folder.submit(f"mynah train {grid} {LAUNCH} launch.at_once=2")
    again = folder.type(f"mynah train {grid} {LAUNCH}")
    assert_refused(again, f"in the queue already, as job {array}", f"mynah jobs cancel {array}")
    (second,) = folder.place.glob("outputs/sweeps/*/seed-2-*")
    log = second / "job.log"
    folder.wait_for(None, lambda: log.exists() and "step 2/" in log.read_text())
    slurm.warn(f"{array}_1")

    records = [json.loads(path.read_text()) for path in folder.place.glob("outputs/jobs/*.json")]
    (table,) = [one["id"] for one in records if one["follows"] == array]
    assert folder.end_of(table)["JobState"] == "COMPLETED", folder.logs()
    (written,) = folder.place.glob("outputs/sweeps/*/sweep.csv")
    with written.open() as handle:
        rows = list(csv.DictReader(handle))
    assert {row["training.seed"] for row in rows} == {"1", "2", "3"}
    assert {row["status"] for row in rows} == {"done"}
    assert [float(row["wer"]) for row in rows] == sorted(float(row["wer"]) for row in rows)
    assert "is back in the queue" in log.read_text()
    best = Path(rows[0]["directory"])
    assert (folder.place / "outputs" / "model").resolve() == (best / "model").resolve()

    # Its jobs are those of the same sweep on this machine.
    here = folder.type(f"mynah train {grid}")
    assert here.returncode == 0, here.stdout + here.stderr
    assert "3 done before and not run again" in here.stdout


def test_a_launched_evaluation_that_is_warned_measures_what_the_command_measures_here(
    slurm, cache, tmp_path
):
    folder = Folder(slurm, tmp_path / "evaluation", cache)
    trained = folder.type(f"mynah train model=small {SCRATCH} {FEW}")
    assert trained.returncode == 0, trained.stderr
    here = folder.type("mynah eval outputs/model training.use_cpu=true")
    assert here.returncode == 0, here.stderr
    job = folder.submit(f"mynah eval outputs/model training.use_cpu=true {LAUNCH}")
    folder.wait_for(job, lambda: "Measuring on" in job_logs(folder))
    slurm.warn(job)
    ended = folder.end_of(job)
    assert (ended["JobState"], ended["Restarts"]) == ("COMPLETED", "1"), folder.logs()
    by_command, by_job = run_directories(folder.place)[-2:]
    assert results(by_job) == results(by_command)


def test_a_launched_preparation_that_is_warned_leaves_what_a_training_only_opens(slurm, tmp_path):
    folder = Folder(slurm, tmp_path / "preparation", tmp_path / "cache")
    corpus = " ".join(word for word in SCRATCH.split() if word.startswith("data."))
    job = folder.submit(f"mynah data prepare {corpus} {LAUNCH}")
    folder.wait_for(job, lambda: any(tmp_path.glob("cache/*train*.partial/.*.writing")))
    slurm.warn(job)
    ended = folder.end_of(job)
    assert (ended["JobState"], ended["Restarts"]) == ("COMPLETED", "1"), folder.logs()
    prepared = {path: path.stat().st_mtime_ns for path in tmp_path.glob("cache/*/*.arrow")}
    assert prepared and not list(tmp_path.glob("cache/*.partial"))
    again = folder.type(f"mynah data prepare {corpus}")
    assert again.returncode == 0 and "300" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in prepared} == prepared


def test_what_sbatch_refuses_is_said_in_its_words_with_the_setting_to_change(
    slurm, cache, tmp_path
):
    folder = Folder(slurm, tmp_path / "refused", cache)
    train = f"mynah train model=small {SCRATCH} {LAUNCH}"
    for settings, said in {
        "launch.gpus_per_node=4": ("sbatch refuses the job: ", "gres", "launch.gpus_per_node"),
        "launch.partition=mian": ("no partition mian", "launch.partition=main"),
        "launch.memory=9000T": ("sbatch refuses the job: ", "launch.memory"),
        "launch.constraint=a100": ("sbatch refuses the job: ", "launch.constraint"),
        "'launch.options=[\"--nonsense=3\"]'": ("--nonsense", "launch.options"),
    }.items():
        assert_refused(folder.type(f"{train} {settings}"), *said)
    assert not list(folder.place.glob("outputs/*/*"))


def test_a_job_that_is_cancelled_is_listed_as_that_and_a_job_that_never_starts_is_said(
    slurm, cache, tmp_path
):
    folder = Folder(slurm, tmp_path / "cancelled", cache)
    done = folder.type(f"mynah train model=small {SCRATCH} {LAUNCH} launch.nodes=3")
    assert done.returncode == 0, done.stderr
    job = re.search(r"^Job (\d+) ", done.stdout, re.MULTILINE)[1]
    assert "may never start" in done.stdout
    assert "pending" in folder.type("mynah jobs").stdout
    assert folder.type(f"mynah jobs cancel {job}").returncode == 0
    assert "cancelled" in folder.type("mynah jobs").stdout
    assert_refused(folder.type("mynah jobs cancel 999999"), "No job 999999", job)
