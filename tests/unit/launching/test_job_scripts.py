"""Scripts for sbatch, against its manual page and run by bash with a stand-in for srun."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mynah.config.schema import LaunchConfig
from mynah.launching.script import EXITS, NodeCommand, array_script, job_script, table_script

GPUS = LaunchConfig(
    launcher="slurm", nodes=2, gpus_per_node=4, gpu_type="a100", cpus_per_process=8,
    memory="64G", time="36h", partition="gpu", account="speech", qos="long",
    constraint="a100&nvlink", options=["--exclude=node7"],
)  # fmt: skip
# Writes down its arguments, one a line, and ends as SRUN_EXIT says.
SRUN = '#!/bin/sh\nfor word; do printf "%s\\n" "$word"; done >> "$CALLS"\nexit "${SRUN_EXIT:-0}"\n'


def script(folder: Path, launch: LaunchConfig, command: NodeCommand, requeue: bool = True) -> str:
    return job_script(
        launch, command, log=folder / "job.log", working_directory=folder,
        typed="mynah train launch=slurm", python="/opt/python", requeue=requeue,
    )  # fmt: skip


@pytest.fixture
def bash(tmp_path):
    """Runs a script, and gives what srun was called with, and the script's exit status."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "srun").write_text(SRUN)
    (programs / "srun").chmod(0o755)
    calls = tmp_path / "calls"

    def run(text: str, **variables: str) -> tuple[list[str], int]:
        calls.unlink(missing_ok=True)
        environment = os.environ | {
            "PATH": f"{programs}:{os.environ['PATH']}", "CALLS": str(calls),
        } | variables  # fmt: skip
        done = subprocess.run(["bash", "-c", text], env=environment, capture_output=True)
        assert done.stderr == b""
        return calls.read_text().splitlines(), done.returncode

    return run


def test_every_setting_is_the_option_that_sbatchs_manual_page_has_for_it(tmp_path):
    head = script(tmp_path, GPUS, NodeCommand(["x"])).split("\n\n")[0].splitlines()
    assert head == [
        "#!/bin/bash",
        "#SBATCH --job-name=mynah",
        "#SBATCH --nodes=2",
        "#SBATCH --ntasks-per-node=4",
        "#SBATCH --cpus-per-task=8",
        "#SBATCH --gpus-per-node=a100:4",
        "#SBATCH --mem=64G",
        "#SBATCH --time=1-12:00:00",
        "#SBATCH --partition=gpu",
        "#SBATCH --account=speech",
        "#SBATCH --qos=long",
        "#SBATCH --constraint='a100&nvlink'",
        "#SBATCH --signal=USR1@300",
        f"#SBATCH --output={tmp_path}/job.log",
        "#SBATCH --open-mode=append",
        "#SBATCH --requeue",
        "#SBATCH --exclude=node7",
    ]


def test_what_is_not_asked_for_is_not_in_the_script(tmp_path):
    text = script(tmp_path, LaunchConfig(launcher="slurm"), NodeCommand(["x"]), requeue=False)
    for option in ("gpus", "mem", "time", "partition", "account", "qos", "constraint", "cpus"):
        assert f"--{option}" not in text
    assert "#SBATCH --no-requeue" in text and "#SBATCH --ntasks-per-node=1\n" in text


def test_a_percent_sign_in_a_folders_name_is_not_a_number_to_sbatch(tmp_path):
    folder = tmp_path / "100%j"
    text = script(folder, GPUS, NodeCommand(["x"]))
    assert f"--output={tmp_path}/100%%j/job.log\n" in text


def test_every_word_of_a_command_reaches_the_node_as_it_was_typed(tmp_path, bash):
    words = ["-m", "mynah.cli", "train", "data.path='a b/(c)'", "model.x=${y}", "$HOME", 'say "no"']
    launch = LaunchConfig(launcher="slurm", environment=["export SETUP=done", "cd ."])
    calls, status = bash(script(tmp_path, launch, NodeCommand(words)))
    assert calls == ["--kill-on-bad-exit=1", "/opt/python", *words] and status == 0
    assert (tmp_path / EXITS).read_text().split()[0] == "0"


def test_a_line_of_the_environment_that_fails_ends_the_job_before_its_command(tmp_path):
    launch = LaunchConfig(launcher="slurm", environment=["false"])
    text = script(tmp_path, launch, NodeCommand(["x"])).replace("srun", "touch reached; :")
    assert subprocess.run(["bash", "-c", text], capture_output=True).returncode == 1
    assert not (tmp_path / "reached").exists()
    assert (tmp_path / EXITS).read_text().split()[0] == "1"


def test_the_exit_status_of_the_command_is_that_of_the_job_and_is_kept(tmp_path, bash):
    for attempt in (1, 2):
        _, status = bash(script(tmp_path, GPUS, NodeCommand(["x"])), SRUN_EXIT="130")
        assert status == 130
        kept = (tmp_path / EXITS).read_text().splitlines()
        assert [line.split()[0] for line in kept] == ["130"] * attempt


@pytest.mark.parametrize(
    ("first", "restarts", "has_checkpoint", "resumed"),
    [
        (None, "0", False, None),
        (None, "0", True, "RUN"),  # submitted again by hand
        (None, "1", True, "RUN"),
        ("resume_from_checkpoint=other", "0", True, "other"),
        ("resume_from_checkpoint=other", "1", False, "other"),
        ("resume_from_checkpoint=other", "1", True, "RUN"),
    ],
)
def test_a_job_that_begins_again_resumes_itself_and_first_what_was_typed(
    tmp_path, bash, first, restarts, has_checkpoint, resumed
):
    run = tmp_path / "run 1"
    if has_checkpoint:  # be it damaged: what of it is there the training finds out
        (run / "model" / "checkpoint-5").mkdir(parents=True)
    command = NodeCommand(["train"], run=run, checkpoints=run / "model", first=first)
    calls, _ = bash(script(tmp_path, GPUS, command), SLURM_RESTART_COUNT=restarts)
    said = [call for call in calls if call.startswith("resume_from_checkpoint=")]
    wanted = {None: [], "other": [first], "RUN": [f'resume_from_checkpoint="{run}"']}
    assert said == wanted[resumed]


def test_each_task_of_an_array_runs_its_own_job_and_prints_into_its_own_folder(tmp_path, bash):
    folders = {number: tmp_path / f"job {number}" for number in (0, 2)}
    for folder in folders.values():
        folder.mkdir()
    text = array_script(
        LaunchConfig(launcher="slurm", at_once=3),
        {number: NodeCommand(["train", f"n={number}"]) for number in folders},
        logs={number: folder / "job.log" for number, folder in folders.items()},
        log=tmp_path / "array-%a.log", working_directory=tmp_path, typed="", python="/opt/python",
        requeue=True,
    )  # fmt: skip
    assert "#SBATCH --array=0,2%3\n" in text and f"--output={tmp_path}/array-%a.log" in text
    calls, _ = bash(text, SLURM_ARRAY_TASK_ID="2")
    assert calls[-1] == "n=2"
    assert (folders[2] / "job.log").exists() and (folders[2] / EXITS).exists()
    assert not (folders[0] / "job.log").exists()


def test_the_job_of_the_table_asks_for_no_gpu_and_for_the_same_partition(tmp_path):
    text = table_script(
        GPUS, ["-m", "mynah.cli"], log=tmp_path / "table.log", working_directory=tmp_path,
        python="/opt/python",
    )  # fmt: skip
    assert "gpu" not in text.replace("--partition=gpu", "")
    assert "#SBATCH --partition=gpu" in text and "#SBATCH --account=speech" in text
    assert "#SBATCH --ntasks=1\n" in text


def test_a_line_of_the_environment_that_fails_keeps_no_sweep_from_its_table(tmp_path):
    launch = LaunchConfig(launcher="slurm", environment=["false"])
    words = ["-c", "touch table"]
    text = table_script(
        launch, words, log=tmp_path / "table.log", working_directory=tmp_path, python="bash"
    )
    assert subprocess.run(["bash", "-c", text], capture_output=True).returncode == 0
    assert (tmp_path / "table").exists()
