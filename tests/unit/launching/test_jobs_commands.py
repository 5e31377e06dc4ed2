"""``launch=slurm`` and ``mynah jobs`` with stand-ins for SLURM's commands: what people read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mynah import console
from mynah.cli.main import main
from mynah.launching.records import JobRecord, keep
from mynah.launching.slurm import refusal
from mynah.launching.sweep_table import outcome_of
from mynah.sweeps.jobs import SweepJob, make_jobs

TRAIN = ["train", "model=small", "launch=slurm"]


class Cluster:
    """Stand-ins for SLURM's commands, each a shell script on the PATH."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs

    def has(self, name: str, script: str) -> None:
        (self._programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (self._programs / name).chmod(0o755)


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A login node in an empty folder."""
    programs = tmp_path / "bin"
    programs.mkdir()
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setattr(console.console(), "_width", 120)
    return Cluster(programs)


def test_without_sbatch_nothing_is_written_and_the_way_out_is_said(cluster, capsys):
    assert main(TRAIN) == 2
    said = capsys.readouterr().err
    assert "sbatch" in said and "login node" in said
    assert not list(Path.cwd().iterdir())


def test_a_partition_that_is_not_there_is_found_before_anything_is_submitted(cluster, capsys):
    cluster.has("sinfo", "printf 'debug\\ngpu\\n'")
    cluster.has("sbatch", "touch submitted")
    assert main([*TRAIN, "launch.partition=gqu"]) == 2
    said = capsys.readouterr().err
    assert "debug, gpu" in said and "fix:   launch.partition=gpu" in said
    assert not list(Path.cwd().iterdir())


def test_a_training_is_submitted_and_listed_and_nothing_runs_here(cluster, capsys):
    cluster.has("sbatch", 'cp "$2" "$PWD/copy"; echo "4711;cluster"')
    cluster.has("squeue", "echo '4711|4711|PENDING|0:00|(Priority)'")
    assert main([*TRAIN, "launch.time=12h"]) == 0
    said = capsys.readouterr().out
    assert "Job 4711 is submitted: a training on 1 node with 1 GPU, at most 12h" in said
    assert "mynah jobs log 4711 --follow" in said and "mynah jobs cancel 4711" in said
    (copy,) = Path.cwd().glob("outputs/*/*/copy")
    script = copy.read_text()
    assert "#SBATCH --time=0-12:00:00" in script
    assert "  launch.launcher=local\n" in script and "  launch=slurm\n" not in script
    assert not list(Path.cwd().glob("outputs/*/*/run.json"))

    assert main(["jobs"]) == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "4711" in line]
    assert "training" in row and "pending (Priority)" in row


def test_a_job_that_sbatch_refuses_leaves_no_folder_behind(cluster, capsys):
    cluster.has("sbatch", "echo 'sbatch: error: Invalid account' >&2; exit 1")
    assert main([*TRAIN, "launch.account=nobody"]) == 2
    said = capsys.readouterr().err
    assert "sbatch refuses the job: Invalid account" in said and "launch.account" in said
    assert not list(Path.cwd().iterdir())


@pytest.mark.parametrize(
    ("said", "setting"),
    [
        # As Slurm 24.05 prints them.
        ("sbatch: error: invalid partition specified: x\nsbatch: error: Batch job submission "
         "failed: Invalid partition name specified", "launch.partition"),
        ("sbatch: error: Batch job submission failed: Invalid account or account/partition "
         "combination specified", "launch.account"),
        ("sbatch: error: Invalid generic resource (gres) specification", "launch.gpus_per_node"),
        ("sbatch: error: Batch job submission failed: Requested time limit is invalid (missing or "
         "exceeds some limit)", "launch.time"),
        ("sbatch: error: Memory specification can not be satisfied", "launch.memory"),
        ("sbatch: error: Batch job submission failed: Invalid qos specification", "launch.qos"),
        ("sbatch: error: Batch job submission failed: Invalid feature specification",
         "launch.constraint"),
        ("sbatch: error: CPU count per node can not be satisfied", "launch.cpus_per_process"),
        ("sbatch: unrecognized option '--nonsense'", "launch.options"),
        ("sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect "
         "failure)", "controller"),
    ],
)  # fmt: skip
def test_what_sbatch_says_names_the_setting_to_change(said, setting):
    problem = refusal(said)
    assert setting in problem.where
    assert said.splitlines()[0].split(": ", 1)[1].removeprefix("error: ") in problem.what


def test_what_a_cluster_has_forgotten_is_as_its_run_wrote_it(cluster, capsys):
    for number, (exits, record) in enumerate(
        [("0 65", "done"), ("2 1", "failed"), (None, "interrupted")]
    ):
        directory = Path.cwd() / f"run{number}"
        directory.mkdir()
        (directory / "run.json").write_text(json.dumps({"status": record}))
        if exits:
            (directory / "job.exits").write_text(f"130 5\n{exits}\n")
        log = str(directory / "job.log")
        keep(JobRecord(str(number), "training", str(directory), log, "s"), Path.cwd())
    assert main(["jobs"]) == 0
    rows = [line.split("│") for line in capsys.readouterr().out.splitlines() if "run" in line]
    cells = {row[1].strip(): (row[3].strip(), row[4].strip()) for row in rows if len(row) > 4}
    assert cells == {"0": ("done", "1:10"), "1": ("failed", "0:06"), "2": ("interrupted", "-")}


def test_the_end_of_a_log_is_printed_of_a_job_and_of_a_task(cluster, capsys):
    task = Path.cwd() / "task"
    task.mkdir()
    (task / "job.log").write_text("one\ntwo\nthree\n")
    keep(JobRecord("7", "sweep", "sweep", "table.log", "s", tasks={"3": str(task)}), Path.cwd())
    assert main(["jobs", "log", "7_3", "--lines", "2"]) == 0
    assert capsys.readouterr().out == "two\nthree\n"
    for typed, fix in {"7": "mynah jobs log 7_3", "7_4": "7", "8": "7", "8_": "7"}.items():
        assert main(["jobs", "log", typed]) == 2
        assert fix in capsys.readouterr().err


def test_where_a_job_runs_is_not_what_a_sweeps_job_is(tmp_path):
    overrides = [["training.seed=1"], ["training.seed=2"]]
    here = make_jobs(overrides, [{"training": {"seed": n}} for n in (1, 2)], tmp_path)
    there = make_jobs(
        [["launch=slurm", *one, "launch.nodes=2"] for one in overrides],
        [{"training": {"seed": n}, "launch": {"nodes": 2}} for n in (1, 2)],
        tmp_path,
    )
    assert [job.directory for job in here] == [job.directory for job in there]
    assert [job.label for job in there] == ["seed=1", "seed=2"]
    (single,) = make_jobs([["training.seed=1", "launch=slurm"]], [{}], tmp_path)
    assert single.label == "seed=1"


@pytest.mark.parametrize(
    ("exits", "record", "is_there", "status", "seconds", "exit_status"),
    [
        ("130 40\n0 20\n", "done", False, "done", 60, 0),
        ("2 3\n", "failed", False, "failed", 3, 2),
        ("137 9\n", "running", False, "killed", 9, -9),
        ("130 9\n", "interrupted", False, "interrupted", 9, 130),
        ("130 9\n", "interrupted", True, "not run", 9, None),
        (None, "running", False, "killed", 0, -9),
        (None, None, False, "not run", 0, None),
    ],
)
def test_what_became_of_a_job_is_read_from_what_it_left(
    tmp_path, exits, record, is_there, status, seconds, exit_status
):
    if exits:
        (tmp_path / "job.exits").write_text(exits)
    if record:
        (tmp_path / "run.json").write_text(json.dumps({"status": record}))
    outcome = outcome_of(SweepJob(0, (), {}, {}, tmp_path), is_there)
    assert (outcome.status, outcome.seconds, outcome.exit_status) == (status, seconds, exit_status)
