"""Several processes, however they are launched, are one run: one directory, one log, one report."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest
from workspaces import SMALL, clone, environment, run, run_directories, words

from mynah.checkpoints.commit import find_damage

COMMAND = "python src/train_hydra.py model=small"
SECONDS = 300


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def slurm(rank: int) -> dict[str, str]:
    """What srun sets for a task; no torchrun is there."""
    return {
        "SLURM_PROCID": str(rank),
        "SLURM_LOCALID": str(rank),
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_NODELIST": "127.0.0.1",
        "SLURM_JOB_ID": free_port(),
        "SLURM_STEP_ID": "0",
    }


def start(folder, suffix, variables):
    return subprocess.Popen(
        words(COMMAND, suffix),
        cwd=folder,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(processes):
    try:
        return [process.communicate(timeout=SECONDS) for process in processes]
    finally:
        for process in processes:
            process.kill()


@pytest.mark.long
def test_two_tasks_of_srun_are_one_run(tmp_path):
    folder = clone(tmp_path / "clone")
    common = slurm(0)
    processes = [
        start(folder, SMALL, {**common, "SLURM_PROCID": str(r), "SLURM_LOCALID": str(r)})
        for r in (0, 1)
    ]
    (first, _), (second, _) = finish(processes)
    assert [process.returncode for process in processes] == [0, 0], first
    assert "Traceback" not in second and "error:" not in second
    (directory,) = run_directories(folder)
    assert first.count("Report:") == 1 and first.count("step 2/2") == 1
    listed = (directory / "evaluation" / "utterances.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in listed]
    assert len(rows) == len({row["id"] for row in rows}) == 4
    # What is found beside the rates is of all, whichever process decoded them.
    found = json.loads((directory / "evaluation" / "results.json").read_text())["evaluations"]
    (found,) = found.values()
    assert all(row["measured"]["level_db"] < 0 for row in rows)
    by_speaker = found["groups"]["speaker"]["groups"]
    assert (
        sum(one["words"] for one in by_speaker) == found["words"] == sum(r["words"] for r in rows)
    )
    sides = found["out_of_vocabulary"]
    assert sides["inside"]["words"] + sides["outside"]["words"] == found["words"]
    assert set(found["wrong_in_kind"]) >= {"empty", "looping"}
    assert len(list(directory.glob("*.log"))) == 1
    newest = directory / "model" / "checkpoint-2"
    assert find_damage(newest) is None and (newest / "rng_state_1.json").exists()
    assert not (folder / "data.json").exists() and not (folder / "config.yaml").exists()


def launched(folder, command, suffix):
    """What a launcher's processes print, and the directory of their one run."""
    done = subprocess.run(
        [*command, *words(COMMAND, suffix)[1:]],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (directory,) = run_directories(folder)
    return done, directory


@pytest.mark.long
@pytest.mark.parametrize("launcher", ["torchrun", "accelerate"])
def test_two_launched_processes_are_one_run(tmp_path, launcher):
    folder = clone(tmp_path / "clone")
    before = {
        "torchrun": ["torch.distributed.run", "--nproc-per-node=2"],
        "accelerate": ["accelerate.commands.launch", "--cpu", "--num_processes=2"],
    }[launcher]
    port = {"torchrun": "--master-port", "accelerate": "--main_process_port"}[launcher]
    address = {"torchrun": "--master-addr", "accelerate": "--main_process_ip"}[launcher]
    command = [sys.executable, "-m", *before, f"{port}={free_port()}", f"{address}=127.0.0.1"]
    done, directory = launched(folder, command, SMALL)
    assert done.stdout.count("Report:") == 1
    results = json.loads((directory / "evaluation" / "results.json").read_text())["evaluations"]
    assert {found["utterances"] for found in results.values()} == {4}


@pytest.mark.long
def test_two_processes_with_sharded_weights_are_one_run_that_one_process_resumes(tmp_path):
    folder = clone(tmp_path / "clone")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    command += [f"--master-port={free_port()}", "--master-addr=127.0.0.1"]
    measured = SMALL.replace("eval_steps=2", "eval_steps=1 training.save_steps=1")
    suffix = f"{measured} training.fsdp=true"
    done, directory = launched(folder, command, suffix)
    assert done.stdout.count("Report:") == 1 and "Traceback" not in done.stderr
    results = json.loads((directory / "evaluation" / "results.json").read_text())["evaluations"]
    assert {found["utterances"] for found in results.values()} == {4}
    assert find_damage(directory / "model" / "checkpoint-2") is None
    first = directory / "model" / "checkpoint-1"
    alone = run(folder, COMMAND, f"{suffix} resume_from_checkpoint={first}")
    assert alone.returncode == 0, alone.stdout + alone.stderr
    assert "training.fsdp has no effect: one process" in alone.stdout
    assert "This training ran on 2 process(es) and resumes with 1" in alone.stdout
