"""Signals end a command in good order from its first line on, whatever it is doing."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import time
from pathlib import Path

import forked_commands
import pytest
from started_commands import Started
from workspaces import SMALL, clone, environment, run_directories, words

Process = subprocess.Popen[str] | Started
TRAIN = "mynah train model=small"
SECONDS = 60.0


@pytest.fixture(autouse=True)
def terminal():
    """SIGHUP as a terminal gives it to a command: tests under nohup inherit that it is ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def start(folder: Path, command: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        words(command),
        cwd=folder,
        env=environment(MYNAH_CACHE=str(folder / "cache"), PYTHONUNBUFFERED="1", **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def catches(process: Process, number: int) -> bool:
    """Whether the process has a handler of its own for a signal, as the kernel knows it."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def wait_for(condition, process: Process) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def writers(cache: Path) -> list[int]:
    """The processes that are writing shards of the training sentences."""
    names = [path.name for path in cache.glob("*train*.partial/.*.writing")]
    return [int(name.split(".")[-2].partition("-")[0]) for name in names]


def is_alive(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False
    return "\nState:\tZ" not in status


def end(process: Process, number: int) -> tuple[int, str, str, float]:
    """Send a signal: exit status, what was printed, and how long the end took in seconds."""
    process.send_signal(number)
    started = time.monotonic()
    try:
        out, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"It did not end: {process.communicate()}")
    finally:
        process.kill()
    return process.returncode, out, err, time.monotonic() - started


@pytest.fixture
def cluster(tmp_path: Path) -> dict[str, str]:
    """A job of SLURM; its scontrol writes down how it is called."""
    program = tmp_path / "bin" / "scontrol"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "SLURM_JOB_ID": "4711"}


needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks the kernel")


@needs_proc
@pytest.mark.parametrize("command", ["mynah train", "python src/train_hydra.py"])
def test_a_warning_while_the_command_is_imported_requeues_the_job(tmp_path, cluster, command):
    process = start(clone(tmp_path / "clone"), f"{command} model=small", **cluster)
    wait_for(lambda: catches(process, signal.SIGUSR1), process)
    status, _, errors, _ = end(process, signal.SIGUSR1)
    assert status == 130, errors
    assert "Interrupted by SIGUSR1" in errors and "Traceback" not in errors
    assert (tmp_path / "calls").read_text() == "requeue 4711\n"


@needs_proc
@pytest.mark.parametrize(
    "number", [signal.SIGUSR1, pytest.param(signal.SIGHUP, marks=pytest.mark.long)]
)
def test_preparation_ends_at_once_and_its_children_with_it(tmp_path, cluster, number):
    folder = clone(tmp_path / "clone")
    command = f"{TRAIN} data.synthesis.train_sentences=9000 data.num_proc=2"
    process: Process
    if number == signal.SIGHUP:  # what it is forked from may have inherited that it is ignored
        process = start(folder, command, **cluster)
    else:
        own = environment(MYNAH_CACHE=str(folder / "cache"), PYTHONUNBUFFERED="1", **cluster)
        process = forked_commands.start(words(command), folder, own)
    speaking = folder / "cache"
    wait_for(lambda: writers(speaking), process)
    children = writers(speaking)
    (directory,) = run_directories(folder)
    status, printed, errors, seconds = end(process, number)
    assert status == 130, printed + errors
    assert seconds < 15
    assert "The same command begins again" in printed and "Traceback" not in errors
    assert json.loads((directory / "run.json").read_text())["status"] == "interrupted"
    requeued = (tmp_path / "calls").exists()
    assert requeued == (number == signal.SIGUSR1)
    assert not any(map(is_alive, children))


@needs_proc
@pytest.mark.long  # one process of it fast in test_synthetic.py
def test_children_end_with_a_killed_preparation_and_the_next_one_ends_as_an_untouched_one(tmp_path):
    command = "mynah data prepare data.synthesis.train_sentences=260 data.num_proc=2"
    command += " data.synthesis.eval_sentences=10"
    killed, straight = clone(tmp_path / "killed"), clone(tmp_path / "straight")
    process = start(killed, command)
    wait_for(lambda: any(writers(killed / "cache")), process)
    children = writers(killed / "cache")
    for child in children:
        os.kill(child, signal.SIGSTOP)  # it would outlive the next preparation
    process.kill()
    process.communicate()
    both = [start(folder, command) for folder in (killed, straight)]
    for one in both:
        printed, errors = one.communicate(timeout=SECONDS)
        assert one.returncode == 0, printed + errors
    assert children and not any(map(is_alive, children))
    found, expected = (
        {(f.parent.name, f.name): f.read_bytes() for f in folder.glob("cache/synthetic-*/*.arrow")}
        for folder in (killed, straight)
    )
    assert found == expected and len(found) == 3


@pytest.mark.parametrize("screen", ["closed", pytest.param("full", marks=pytest.mark.long)])
def test_a_training_outlives_its_screen(tmp_path, screen):
    folder = clone(tmp_path / "clone")
    variables = environment(PYTHONUNBUFFERED="1")
    if screen == "full":
        full = Path("/dev/full").open("w")  # noqa: SIM115
        process = subprocess.Popen(
            words(TRAIN, SMALL), cwd=folder, env=variables,
            stdout=full, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    else:
        process = forked_commands.start(words(TRAIN, SMALL), folder, variables)
        assert process.stdout.readline()
        process.stdout.close()
    errors = process.stderr.read()
    assert process.wait(timeout=SECONDS) == 0, errors
    assert "Traceback" not in errors and "Exception ignored" not in errors
    (directory,) = run_directories(folder)
    assert "Done in" in (directory / "train.log").read_text()
