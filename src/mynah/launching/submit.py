"""One command as one job: its script beside the run, submitted, recorded and said."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mynah import console
from mynah.config.schema import LaunchConfig
from mynah.distributed import world_size
from mynah.errors import UserError
from mynah.files import display_path, write_text
from mynah.launching import records, slurm
from mynah.launching.records import JobRecord
from mynah.launching.script import NodeCommand, job_script, processes_per_node

# Reasons of squeue that time alone does not change.
_NEVER = ("Partition", "BadConstraints", "Invalid", "ReqNodeNotAvail", "Assoc", "QOSMax", "QOSMin")
SCRIPT, LOG = "job.sbatch", "job.log"


@dataclass(frozen=True)
class Submission:
    """A command that is to become a job.

    Attributes:
        what: ``training``, ``evaluation``, ``preparation`` or ``transcription``.
        typed: The command as it was typed.
        launch: What the job gets.
        requeue: Whether it goes back into the queue when its time is up.
        working_directory: Where the command was typed.
    """

    what: str
    typed: str
    launch: LaunchConfig
    requeue: bool
    working_directory: Path


def check_submission(launch: LaunchConfig, *, one_process: str | None = None) -> None:
    """Find what keeps a job from being submitted, before anything is written.

    Args:
        launch: What the job gets.
        one_process: Of a command that runs in one process, what it is.

    Raises:
        UserError: There is no sbatch or no such partition, this is a process of a job already, or
            several processes are asked for one.
    """
    if world_size() > 1:
        raise UserError(
            "Every process of this job would submit a job of its own.",
            where="launch=slurm",
            fix="type the command by itself, without srun or torchrun: the job starts its own",
        )
    if one_process is not None and launch.nodes * processes_per_node(launch) > 1:
        raise UserError(
            f"{one_process} runs in one process, and launch asks for "
            f"{launch.nodes * processes_per_node(launch)}.",
            where=f"launch.nodes={launch.nodes}, launch.processes_per_node="
            f"{processes_per_node(launch)}",
            fix="launch.nodes=1 launch.processes_per_node=1",
        )
    slurm.check_cluster(launch)


def submit(one: Submission, command: NodeCommand, directory: Path) -> JobRecord:
    """Submit a job, record it, and say what it is and how to follow it.

    Args:
        one: What is submitted.
        command: What it runs.
        directory: Gets the script and the log; removed again where sbatch refuses and nothing
            else is in it.

    Raises:
        UserError: sbatch refuses the job.
    """
    script, log = directory / SCRIPT, directory / LOG
    text = job_script(
        one.launch,
        command,
        log=log,
        working_directory=one.working_directory,
        typed=one.typed,
        python=sys.executable,
        requeue=one.requeue,
    )
    number = submitted_or_removed(script, text)
    record = JobRecord(number, one.what, str(directory), str(log), str(script))
    records.keep(record, one.working_directory)
    console.say(
        f"Job {number} is submitted: {records.article(one.what)} on {described(one.launch)}"
    )
    for name, value in (
        ("Run", display_path(directory)),
        ("Log", display_path(log)),
        ("Follow", f"mynah jobs log {number} --follow"),
        ("Cancel", f"mynah jobs cancel {number}"),
    ):
        console.say(f"{name + ':':<8}{value}")
    say_what_keeps(number)
    return record


def say_what_keeps(number: str) -> None:
    """Say where the cluster took a job that it will not start as it is."""
    waiting = next(iter(slurm.states([number]).get(number, [])), None)
    reason = "" if waiting is None else waiting.reason.strip("()")
    if reason.startswith(_NEVER):
        console.notice(
            f"It waits for what this cluster does not have, and may never start: {reason} "
            "(man squeue, JOB REASON CODES)."
        )


def submitted_or_removed(script: Path, text: str, *options: str) -> str:
    """Write a script and submit it; where it is refused, leave nothing of it.

    Returns:
        The job's number.

    Raises:
        UserError: sbatch refuses it, or the script cannot be written.
    """
    try:
        script.parent.mkdir(parents=True, exist_ok=True)
        write_text(script, text)
    except OSError as problem:
        raise UserError(
            f"The job's script cannot be written: {problem.strerror or problem}.",
            where=str(script),
            fix="free the place, or write elsewhere with hydra.run.dir=FOLDER",
        ) from problem
    try:
        return slurm.submit(script, *options)
    except UserError:
        with suppress(OSError):
            script.unlink()
            for place in (script.parent, *script.parent.parents):
                if not place.is_relative_to(Path.cwd()) or place == Path.cwd():
                    break
                place.rmdir()  # as far up as they are empty
        raise


def described(launch: LaunchConfig) -> str:
    """What a job gets, in words: ``2 nodes of 4 GPUs, 8 processes, at most 12h``."""
    nodes = "1 node" if launch.nodes == 1 else f"{launch.nodes} nodes"
    if launch.gpus_per_node:
        kind = f" {launch.gpu_type}" if launch.gpu_type else ""
        nodes += f" with {launch.gpus_per_node}{kind} GPU{'s' * (launch.gpus_per_node > 1)}"
    parts = [nodes]
    if (total := launch.nodes * processes_per_node(launch)) > 1:
        parts.append(f"{total} processes")
    if launch.time:
        parts.append(f"at most {launch.time}")
    if launch.partition:
        parts.append(f"partition {launch.partition}")
    return ", ".join(parts)


def typed_command(program: str, arguments: Sequence[str]) -> str:
    """A command as a person may paste it."""
    return f"{program} {shlex.join(arguments)}".strip()
