"""How the jobs of a sweep that a cluster ran compare."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mynah.errors import UserError
from mynah.files import display_path, read_json, write_json
from mynah.launching import listing, records, slurm
from mynah.launching.records import JobRecord
from mynah.launching.script import read_exits
from mynah.runs.record import read_record
from mynah.sweeps.jobs import LOG, Outcome, SweepJob, is_finished, read_job, write_job
from mynah.sweeps.scores import read_score
from mynah.sweeps.sweep import SweepResult, conclude, log_to
from mynah.sweeps.table import jobs_best_first

MANIFEST = "sweep.json"  # the jobs of a submitted sweep, for the one that compares them


def write_manifest(
    jobs: Sequence[SweepJob], sweep_directory: Path, working_directory: Path
) -> None:
    """Write down what the jobs of a sweep are.

    Raises:
        UserError: The sweep's folder cannot be written to.
    """
    content = {
        "working_directory": str(working_directory),
        "jobs": [
            {
                "number": job.number,
                "overrides": list(job.overrides),
                "swept": dict(job.swept),
                "settings": job.settings,
                "directory": str(job.directory),
            }
            for job in jobs
        ],
    }
    try:
        sweep_directory.mkdir(parents=True, exist_ok=True)
        write_json(sweep_directory / MANIFEST, content, indent=1)
    except OSError as problem:
        raise UserError(
            f"The sweep's directory cannot be written to: {problem.strerror or problem}.",
            where=str(sweep_directory),
            fix="free the place, or write elsewhere with hydra.sweep.dir=FOLDER",
        ) from problem


def read_manifest(sweep_directory: Path) -> tuple[list[SweepJob], Path]:
    """The jobs of a submitted sweep, and where it was typed.

    Raises:
        UserError: This is not the folder of one.
    """
    content = read_json(sweep_directory / MANIFEST)
    try:
        jobs = [
            SweepJob(
                int(one["number"]),
                tuple(one["overrides"]),
                dict(one["swept"]),
                dict(one["settings"]),
                Path(one["directory"]),
            )
            for one in content["jobs"]
        ]
        return jobs, Path(content["working_directory"])
    except (KeyError, TypeError, ValueError) as problem:
        raise UserError(
            f"{display_path(sweep_directory)} is not a sweep that was submitted: there is no "
            f"{MANIFEST} in it, or not a list of jobs.",
            where=str(sweep_directory),
            fix="mynah jobs  lists the folders of sweeps",
        ) from problem


def write_table(sweep_directory: Path) -> None:
    """Print and write how the jobs of a submitted sweep compare, as far as they have ended.

    Raises:
        UserError: This is not the folder of one, or the table cannot be written.
    """
    jobs, working_directory = read_manifest(sweep_directory)
    there = _tasks_there(sweep_directory, working_directory)
    outcomes = {job.number: outcome_of(job, str(job.number) in there) for job in jobs}
    for job in jobs:
        outcome = outcomes[job.number]
        if outcome.status in ("done before", "not run"):
            continue
        with suppress(OSError):
            write_job(
                job.directory,
                read_job(job.directory)
                | {
                    "status": outcome.status,
                    "exit_status": outcome.exit_status,
                    "seconds": round(outcome.seconds, 1),
                },
            )
    place = sweep_directory.resolve()
    with log_to(place / "sweep.log"):
        result = SweepResult(jobs_best_first(jobs, outcomes), interrupted=False)
        conclude(result, place, working_directory, any_new=True)


def outcome_of(job: SweepJob, is_there: bool) -> Outcome:
    """What became of a job that a cluster ran, by what it left in its directory.

    Args:
        job: The job.
        is_there: Whether it waits or runs.
    """
    exits = read_exits(job.directory)
    seconds = float(sum(took for _, took in exits))
    if is_finished(job):
        if not exits:
            seconds = float(read_job(job.directory).get("seconds") or 0.0)
            return Outcome("done before", seconds, 0, read_score(job.directory))
        return Outcome("done", seconds, 0, read_score(job.directory))
    if is_there:
        return Outcome("not run", seconds)
    if not exits:  # the cluster ended it without a word, if it began at all
        began = bool(read_record(job.directory)) or (job.directory / LOG).is_file()
        return Outcome("killed", 0.0, -signal.SIGKILL) if began else Outcome("not run")
    status = exits[-1][0]
    if status == 130:
        return Outcome("interrupted", seconds, status)
    if status > 128:
        return Outcome("killed", seconds, 128 - status)
    return Outcome("failed", seconds, status)


def _tasks_there(sweep_directory: Path, working_directory: Path) -> set[str]:
    """The numbers of jobs that wait or run."""
    found = submitted_arrays(sweep_directory, working_directory)
    states = slurm.states([record.id for record in found])
    return {
        one.id.partition("_")[2]
        for tasks in states.values()
        for one in tasks
        if one.state in listing.WAITS_OR_RUNS
    }


def submitted_arrays(sweep_directory: Path, working_directory: Path) -> list[JobRecord]:
    """The arrays of a sweep."""
    place = sweep_directory.resolve()
    return [
        record
        for record in records.submitted(working_directory)
        if record.tasks and Path(record.directory).resolve() == place
    ]
