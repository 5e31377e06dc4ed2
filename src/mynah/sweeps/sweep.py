"""One sweep from its jobs to its table: run what is missing, compare all, say what failed."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mynah import console
from mynah.checkpoints.find import give_names_back
from mynah.errors import UserError
from mynah.files import display_path
from mynah.runs.directory import (
    complete_checkpoints,
    link_newest_model,
    model_directory_of,
    named_checkpoints,
)
from mynah.sweeps import data_curve, plot, table
from mynah.sweeps.jobs import LOG, Outcome, SweepJob, is_finished, read_job
from mynah.sweeps.processes import GridJobs, Starter, how_it_ended, run_jobs
from mynah.sweeps.scores import read_score

# Overrides that already say where a job starts from: nothing is added to them.
_STARTING_POINTS = ("resume_from_checkpoint", "eval_checkpoint")


@dataclass(frozen=True)
class SweepResult:
    """What a sweep came to.

    Attributes:
        rows: All jobs with their outcomes, best first.
        interrupted: Whether the user stopped it.
    """

    rows: list[table.TableRow]
    interrupted: bool

    @property
    def exit_status(self) -> int:
        """0: all went well; 130: stopped; 2: all failures are the user's to fix; 1: others."""
        failed = [row.outcome for row in self.rows if row.outcome.went_wrong]
        if self.interrupted or any(outcome.status == "interrupted" for outcome in failed):
            return 130
        if not failed:
            return 0
        return 2 if all(outcome.exit_status == 2 for outcome in failed) else 1

    def outcome_of(self, number: int) -> Outcome:
        return next(row.outcome for row in self.rows if row.job.number == number)


def run_sweep(
    jobs: Sequence[SweepJob],
    command: Callable[[SweepJob, list[str]], list[str]],
    sweep_directory: Path,
    *,
    working_directory: Path,
    at_once: int = 1,
    devices: Sequence[str] | None = None,
    start: Starter | None = None,
) -> SweepResult:
    """Run the jobs that are not done yet, then print and write how all of them compare.

    Args:
        jobs: The full grid.
        command: The command line of a job, given overrides to add to its own.
        sweep_directory: Gets ``sweep.csv``, ``sweep.svg`` and ``sweep.log``.
        working_directory: Where the command was typed; ``outputs/model`` below it is pointed
            to the best job's model.
        at_once: How many jobs run at the same time.
        devices: See :func:`mynah.sweeps.processes.run_jobs`.
        start: See there.

    Raises:
        UserError: The same sweep is running right now, or a job cannot be started.
    """
    with hold(sweep_directory) as lock, log_to(sweep_directory / "sweep.log"):
        outcomes: dict[int, Outcome] = {}
        missing = []
        for job in jobs:
            if is_finished(job):
                seconds = float(read_job(job.directory).get("seconds", 0.0))
                score = read_score(job.directory)
                outcomes[job.number] = Outcome("done before", seconds, 0, score)
            else:
                missing.append(job)
        done = len(jobs) - len(missing)
        again = f", {done} done before and not run again" if done else ""
        console.say(f"Sweep of {len(jobs)} jobs in {display_path(sweep_directory)}{again}")

        all_run = run_jobs(
            GridJobs(missing, outcomes),
            lambda job: command(job, resumed(job)),
            at_once=at_once,
            devices=devices,
            hold=lock,
            start=start,
        )
        result = SweepResult(table.jobs_best_first(jobs, outcomes), not all_run)
        conclude(result, sweep_directory, working_directory, any_new=len(missing) > 0)
        return result


def resumed(job: SweepJob) -> list[str]:
    """The override that lets a job resume where an earlier attempt was stopped, if it was.

    Whether one of its checkpoints is intact, here or in its mirror, the job itself finds out, on a
    cluster too; where none is it begins again.
    """
    keys = {text.partition("=")[0].lstrip("+") for text in job.overrides}
    if keys & set(_STARTING_POINTS):
        return []
    model = model_directory_of(job.directory)
    give_names_back(model)
    if not named_checkpoints(model):
        return []
    # Itself and not its newest checkpoint: one that is damaged is passed over.
    return [f"resume_from_checkpoint={quoted(str(job.directory))}"]


def quoted(value: str) -> str:
    """A value as Hydra's override grammar takes it, whatever characters it has."""
    from hydra.core.override_parser.types import Quote, QuotedString

    return QuotedString(value, Quote.single).with_quotes()


def conclude(
    result: SweepResult,
    sweep_directory: Path,
    working_directory: Path,
    *,
    any_new: bool,
    best: table.TableRow | None = None,
) -> None:
    """Print, write and plot how the jobs compare, and say what did not go well.

    Args:
        result: What became of them.
        sweep_directory: The sweep's.
        working_directory: Where the command was typed.
        any_new: Whether any was run now.
        best: The job whose model is to be ``outputs/model``; None: the first in the table.

    Raises:
        UserError: The table cannot be written.
    """
    console.say()
    table.print_tables(result.rows)
    csv_path, svg_path = sweep_directory / "sweep.csv", sweep_directory / "sweep.svg"
    try:
        table.write_csv(csv_path, result.rows)
        drawn = plot.write_plot(svg_path, result.rows, f"Sweep {sweep_directory.name}")
    except OSError as problem:
        raise UserError(
            f"The sweep's table cannot be written: {problem.strerror or problem}.",
            where=str(sweep_directory),
            fix="free space there; the same command again runs no finished job a second time",
        ) from problem
    drawing = f"   plot: {display_path(svg_path)}" if drawn else ""
    console.say(f"Table: {display_path(csv_path)}{drawing}")
    data_curve.conclude(result.rows, sweep_directory)

    best = best or result.rows[0]
    model = model_directory_of(best.job.directory)
    if any_new and best.outcome.well and complete_checkpoints(model):
        outputs = working_directory / "outputs"
        if link_newest_model(outputs, model, of_sweep=True):
            console.say(f"Best: {best.job.label}; outputs/model -> {display_path(model)}")
    failed = [row for row in result.rows if row.outcome.status in ("failed", "killed")]
    if failed:
        count = "1 job" if len(failed) == 1 else f"{len(failed)} jobs"
        lines = [f"{count} of {len(result.rows)} did not go well:"]
        for row in failed:
            ended = how_it_ended(row.outcome.exit_status or 0)
            log = display_path(row.job.directory / LOG)
            lines.append(f"  {row.job.label}: {ended}; log: {log}")
        lines.append("The same command again runs only what is missing.")
        console.error("\n".join(lines))
    elif result.interrupted:
        well = sum(row.outcome.well for row in result.rows)
        console.say(
            f"Stopped with {well} of {len(result.rows)} jobs done. "
            "The same command again runs only what is missing."
        )


@contextmanager
def hold(sweep_directory: Path) -> Iterator[int | None]:
    """Keep the same sweep from running twice at a time.

    The lock is handed to the jobs too: it lasts while any of them runs, even where the sweep
    itself was killed, so that no job's directory ever has two writers.
    """
    try:
        sweep_directory.mkdir(parents=True, exist_ok=True)
        handle = (sweep_directory / ".lock").open("a")
    except OSError as problem:
        raise UserError(
            f"The sweep's directory cannot be made: {problem.strerror or problem}.",
            where=str(sweep_directory),
            fix="free the place, or write elsewhere with hydra.sweep.dir=FOLDER",
        ) from problem
    with handle:
        if sys.platform == "win32":
            yield None
            return
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise UserError(
                "This sweep, or a job that it left behind, is running right now.",
                where=str(sweep_directory),
                fix="wait for it; or write elsewhere with hydra.sweep.dir=FOLDER",
            ) from problem
        except OSError:  # a file system without locks
            yield None
            return
        yield handle.fileno()


@contextmanager
def log_to(path: Path) -> Iterator[None]:
    """Write what is said to a file, and not a second time to the screen by Hydra's handler."""
    logger = logging.getLogger("mynah")
    level, propagate = logger.level, logger.propagate
    handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
        logger.setLevel(level)
        logger.propagate = propagate
