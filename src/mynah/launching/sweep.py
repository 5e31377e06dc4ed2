"""A sweep on a cluster: an array of its jobs, and a job behind them that writes its table."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mynah import console
from mynah.config.schema import LaunchConfig
from mynah.config.schema.launch import LOCAL, is_launch
from mynah.errors import UserError
from mynah.files import display_path
from mynah.launching import listing, records, slurm
from mynah.launching.command import HERE
from mynah.launching.records import JobRecord
from mynah.launching.script import EXITS, NodeCommand, array_script, table_script
from mynah.launching.submit import (
    check_submission,
    described,
    say_what_keeps,
    submitted_or_removed,
    typed_command,
)
from mynah.launching.sweep_table import submitted_arrays, write_manifest, write_table
from mynah.runs.directory import MODEL
from mynah.sweeps.jobs import LOG, SweepJob, is_finished, write_job
from mynah.sweeps.sweep import log_to

SCRIPT, TABLE_SCRIPT, TABLE_LOG = "sweep.sbatch", "table.sbatch", "table.log"
_RESUME = "resume_from_checkpoint="


def launch_of(jobs: Sequence[SweepJob]) -> LaunchConfig:
    """Where the jobs of a sweep run.

    Raises:
        UserError: They differ in it.
    """
    if all(_launch(job).launcher == LOCAL for job in jobs):
        return LaunchConfig()
    return _shared_launch(jobs)


def submit_sweep(
    jobs: Sequence[SweepJob],
    command: Callable[[SweepJob, list[str]], list[str]],
    sweep_directory: Path,
    *,
    working_directory: Path,
    arguments: Sequence[str],
) -> None:
    """Submit the jobs that are not done yet as an array, and the one that compares all.

    Args:
        jobs: The full grid.
        command: The command line of a job, given overrides to add to its own.
        sweep_directory: Gets the scripts, the list of jobs, and later the table.
        working_directory: Where the command was typed.
        arguments: What was typed.

    Raises:
        UserError: The jobs cannot be submitted, differ in where they run, or are in the queue.
    """
    launch = _shared_launch(jobs)
    check_submission(launch)
    _check_not_queued(sweep_directory, working_directory)
    missing = [job for job in jobs if not is_finished(job)]
    write_manifest(jobs, sweep_directory, working_directory)
    if not missing:
        console.say(f"All {len(jobs)} jobs were done before and are not run again.")
        write_table(sweep_directory)
        return
    commands = {job.number: on_node(command, job, working_directory) for job in missing}
    for job in missing:
        _note_submitted(job, commands[job.number])
    text = array_script(
        launch,
        commands,
        logs={job.number: job.directory / LOG for job in missing},
        log=sweep_directory / "array-%a.log",
        working_directory=working_directory,
        typed=typed_command("mynah train", arguments),
        python=sys.executable,
        requeue=all(job.settings["training"]["requeue"] for job in missing),
    )
    script = sweep_directory / SCRIPT
    array = submitted_or_removed(script, text)
    record = JobRecord(
        array,
        "sweep",
        str(sweep_directory),
        str(sweep_directory / TABLE_LOG),
        str(script),
        tasks={str(job.number): str(job.directory) for job in missing},
    )
    records.keep(record, working_directory)
    table = _submit_table(launch, array, sweep_directory, working_directory)
    with log_to(sweep_directory / "sweep.log"):
        _say(record, table, launch, len(jobs) - len(missing))
        say_what_keeps(array)


def _note_submitted(job: SweepJob, command: NodeCommand) -> None:
    """Write of a job that it is submitted; what earlier attempts left behind says nothing of it."""
    (job.directory / EXITS).unlink(missing_ok=True)
    write_job(
        job.directory,
        {
            "status": "submitted",
            "exit_status": None,
            "seconds": 0.0,
            "overrides": list(job.overrides),
            "swept": dict(job.swept),
            "command": [sys.executable, *command.words],
        },
    )


def _submit_table(
    launch: LaunchConfig, array: str, sweep_directory: Path, working_directory: Path
) -> str:
    """Submit the job that follows the array; without it there is no array either."""
    script, log = sweep_directory / TABLE_SCRIPT, sweep_directory / TABLE_LOG
    text = table_script(
        launch,
        ["-m", "mynah.cli", "jobs", "table", str(sweep_directory)],
        log=log,
        working_directory=working_directory,
        python=sys.executable,
    )
    try:
        number = submitted_or_removed(script, text, f"--dependency=afterany:{array}")
    except UserError:
        slurm.cancel(array)
        raise
    records.keep(
        JobRecord(number, "table", str(sweep_directory), str(log), str(script), follows=array),
        working_directory,
    )
    return number


def _say(record: JobRecord, table: str, launch: LaunchConfig, done: int) -> None:
    again = f"; {done} done before and not run again" if done else ""
    first = next(iter(record.tasks))
    console.say(
        f"Job {record.id} is submitted: a sweep of {len(record.tasks)} jobs, each on "
        f"{described(launch)}{again}"
    )
    for name, value in (
        ("Sweep", display_path(Path(record.directory))),
        ("Table", f"job {table} writes it when all have ended; until then: mynah jobs table "
         f"{display_path(Path(record.directory))}"),
        ("Follow", f"mynah jobs log {record.id}_{first} --follow"),
        ("Cancel", f"mynah jobs cancel {record.id}"),
    ):  # fmt: skip
        console.say(f"{name + ':':<8}{value}")


def _check_not_queued(sweep_directory: Path, working_directory: Path) -> None:
    for job in listing.listed(submitted_arrays(sweep_directory, working_directory)):
        if job.is_there:
            raise UserError(
                f"This sweep is in the queue already, as job {job.record.id}: {job.state}.",
                where=display_path(sweep_directory),
                fix=f"wait for it, or  mynah jobs cancel {job.record.id}",
            )


def _shared_launch(jobs: Sequence[SweepJob]) -> LaunchConfig:
    """What each job gets.

    Raises:
        UserError: They differ in it.
    """
    launch = _launch(jobs[0])
    if any(_launch(job) != launch for job in jobs):
        raise UserError(
            "The jobs of a sweep cannot differ in where they run.",
            where="launch",
            fix="give each setting of launch one value",
        )
    return launch


def _launch(job: SweepJob) -> LaunchConfig:
    settings: dict[str, Any] = dict(job.settings.get("launch") or {})
    return LaunchConfig(**settings)


def _checkpoints(job: SweepJob, working_directory: Path) -> Path:
    """Where a job's checkpoints go: below what was typed, or in its own directory."""
    typed = job.settings.get("training", {}).get("output_dir")
    return working_directory / typed / job.directory.name if typed else job.directory / MODEL


def on_node(
    command: Callable[[SweepJob, list[str]], list[str]], job: SweepJob, working_directory: Path
) -> NodeCommand:
    """What a job runs on its node.

    Args:
        command: The command line of a job, given overrides to add to its own.
        job: The job.
        working_directory: Where the command was typed.

    Returns:
        Its command without Python and without the launcher.
    """
    kept = SweepJob(
        job.number,
        tuple(text for text in job.overrides if not is_launch(text)),
        job.swept,
        job.settings,
        job.directory,
    )
    resumed = [text for text in kept.overrides if text.lstrip("+").startswith(_RESUME)]
    words = [word for word in command(kept, [HERE])[1:] if word not in resumed]
    if job.settings.get("eval_checkpoint") is not None:
        return NodeCommand(words)
    return NodeCommand(
        words,
        run=job.directory,
        checkpoints=_checkpoints(job, working_directory),
        first=resumed[-1] if resumed else None,
    )
