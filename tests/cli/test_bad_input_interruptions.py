"""Trainings that end early, resume, or run beside another: nothing that was saved is lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import forked_commands
import pytest
import yaml
from workspaces import (
    SMALL,
    assert_measured,
    assert_refused,
    assert_trained,
    clone,
    environment,
    run,
    run_directories,
    words,
)

from mynah.checkpoints.commit import intact_checkpoints

TRAIN = "python src/train_hydra.py"


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory) -> tuple[Path, int, str]:
    """A training that got Ctrl-C: its folder, its exit status and all that it printed."""
    folder = clone(tmp_path_factory.mktemp("interrupted") / "clone")
    suffix = f"{SMALL} training.max_steps=5000 training.eval_strategy=no training.logging_steps=1"
    suffix += " training.load_best_model_at_end=false training.save_steps=5000"
    process = forked_commands.start(
        words(TRAIN, suffix), folder, environment(PYTHONUNBUFFERED="1"), together=True
    )
    assert process.stdout is not None
    printed = []
    for line in process.stdout:
        printed.append(line)
        if line.startswith("step "):
            process.send_signal(signal.SIGINT)
            break
    printed.append(process.communicate(timeout=120)[0])
    return folder, process.returncode, "".join(printed)


def test_ctrl_c_ends_with_a_complete_checkpoint_and_says_how_to_resume(interrupted):
    folder, status, printed = interrupted
    assert status == 130, printed
    assert "resume_from_checkpoint=last" in printed and "Traceback" not in printed
    assert len(intact_checkpoints(folder / "outputs" / "model")) == 1


def test_an_interrupted_training_resumes_by_last_and_by_its_directory(interrupted):
    folder, _, _ = interrupted
    (directory,) = run_directories(folder)
    for place in ("last", directory.relative_to(folder)):
        go_on(folder, str(place))


@pytest.mark.long
def test_a_training_resumes_from_a_checkpoint_by_name(interrupted):
    folder, _, _ = interrupted
    newest = intact_checkpoints(folder / "outputs" / "model")[-1]
    go_on(folder, newest.relative_to(folder).as_posix())


def go_on(folder: Path, place: str) -> None:
    """Resume for one step, and assert that it went on from the newest checkpoint."""
    newest = intact_checkpoints(folder / "outputs" / "model")[-1]
    steps = int(newest.name.partition("-")[2]) + 1
    suffix = f"{SMALL} training.max_steps={steps} training.eval_steps={steps}"
    done = run(folder, f"{TRAIN} resume_from_checkpoint={place}", suffix)
    assert f"Resuming from {newest.resolve()}" in done.stdout, done.stdout + done.stderr
    # In the run's own directory: assert_trained finds no other one.
    assert_trained(folder, done, utterances={"validation": 4}, settings={})


@pytest.mark.long
def test_an_evaluation_ends_within_seconds_of_a_signal(trained, tmp_path):
    folder = clone(tmp_path / "clone")
    command = f"mynah eval {trained}/outputs/model/checkpoint-2 data.max_eval_samples=200"
    process = forked_commands.start(words(command), folder, environment(PYTHONUNBUFFERED="1"))
    assert process.stdout is not None
    printed = []
    for line in process.stdout:
        printed.append(line)
        if "Measuring on" in line:
            break
    time.sleep(4)  # until the model is there, and at work
    process.send_signal(signal.SIGTERM)
    sent = time.monotonic()
    rest, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert time.monotonic() - sent < 10
    assert "The same command measures it from the beginning" in rest and "Traceback" not in errors
    (directory,) = run_directories(folder)
    assert json.loads((directory / "run.json").read_text())["status"] == "interrupted"
    assert not (directory / "evaluation" / "results.json").exists()


def test_two_runs_at_the_same_moment_get_two_directories_where_the_commands_were_typed(
    trained, tmp_path
):
    folder = shutil.copytree(trained, tmp_path / "clone", symlinks=True)
    here = folder / "elsewhere"
    here.mkdir()
    command = ["python", "../src/train_hydra.py", "eval_checkpoint=../outputs/model/checkpoint-2"]
    for ended in forked_commands.run_together(command, here, [environment()] * 2):
        assert ended.returncode == 0, ended.stderr
    directories = run_directories(here)
    assert len(directories) == 2
    for directory in directories:
        assert_measured(directory, {"validation": 4})
    assert len(run_directories(folder)) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of 4 MB: room for a checkpoint and not for two."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_says_so_and_keeps_the_checkpoint_before(small_disk):
    folder = clone(small_disk / "clone")
    done = run(folder, TRAIN, f"{SMALL} training.max_steps=4")
    assert_refused(done, "disk is nearly full", "resume_from_checkpoint=last")
    model = folder / "outputs" / "model"
    assert [path.name for path in intact_checkpoints(model)] == ["checkpoint-2"]
    config = yaml.safe_load((model / "checkpoint-2" / "config.yaml").read_text())
    assert config["training"]["max_steps"] == 4
