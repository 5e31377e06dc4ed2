"""The job itself: a process beside the user that holds on to Ray until its work is done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType

from mynah import console
from mynah.config.schema import LaunchConfig
from mynah.distributed import world_size
from mynah.errors import UserError
from mynah.files import display_path
from mynah.launching import records
from mynah.launching.on_ray import cluster, place
from mynah.launching.on_ray.command import RunningCommand
from mynah.launching.on_ray.process import this_machine, ticks_of
from mynah.launching.on_ray.worker import JobOnRay
from mynah.launching.records import JobRecord
from mynah.launching.script import EXITS, NodeCommand
from mynah.stopping.signals import taken

LOG = "job.log"
_OF_PROCESSES = ("environment", "python")
_HOST = ("-m", "mynah.cli.shared.hosted", "job")
_SAVE_SECONDS = 300.0  # a process may take to save, once it is asked to end


def check_job(launch: LaunchConfig, *, spread: bool = False) -> None:
    """Find what keeps a job from running on Ray, before anything is written.

    Args:
        launch: What it asks for.
        spread: Whether it is many parts of work, each for itself.

    Raises:
        UserError: Ray is not installed, does not answer, or has too little; or this is one of
            several processes; or the job has a setting that its work does not heed.
    """
    given = [name for name in _OF_PROCESSES if getattr(launch, name)] if spread else []
    if given:
        raise UserError(
            f"launch.{given[0]} is for processes of our own, and parts of work are done in Ray's.",
            where=f"launch.{given[0]}",
            fix=f"leave launch.{given[0]} out; what it sets up has to be there when Ray starts",
        )
    if world_size() > 1:
        raise UserError(
            "Every process of this job would start a job of its own.",
            where="launch=ray",
            fix="type the command by itself, without srun or torchrun: the job starts its own",
        )
    cluster.check_installed()
    if cluster.address_of(launch) is None:
        of_any_type = replace(launch, gpu_type=None)  # which Ray itself finds out
        cluster.check_room(cluster.nodes_here(), of_any_type, spread=spread)
        return
    with cluster.reached(launch) as ray:
        cluster.check_room(cluster.nodes_of(ray), launch, spread=spread)


def start_job(
    what: str, launch: LaunchConfig, words: Sequence[str], directory: Path, working_directory: Path
) -> JobRecord:
    """Start a job, record it, and say what it is and how to follow it.

    Args:
        what: As :class:`JobRecord` has it.
        launch: What it asks for.
        words: Of the command, behind ``mynah``.
        directory: The run's, or the sweep's: it gets the log.
        working_directory: Where the command was typed.

    Raises:
        UserError: Its directory cannot be written to.
    """
    log = directory / LOG
    try:
        directory.mkdir(parents=True, exist_ok=True)
        place.forget(directory)
        (directory / EXITS).unlink(missing_ok=True)
        with log.open("ab") as file:
            process = subprocess.Popen(
                [sys.executable, *_HOST, str(directory), *words],
                cwd=working_directory,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,  # it outlives the terminal
            )
    except OSError as problem:
        raise UserError(
            f"The job cannot be started: {problem.strerror or problem}.",
            where=str(directory),
            fix="free the place, or write elsewhere with hydra.run.dir=FOLDER",
        ) from problem
    record = JobRecord(
        records.next_id("ray", working_directory),
        what,
        str(directory),
        str(log),
        "",
        launcher="ray",
        process=process.pid,
        began=ticks_of(process.pid),
        machine=this_machine(),
    )
    records.keep(record, working_directory)
    console.say(f"Job {record.id} is started: {records.article(what)} on {described(launch)}")
    for name, value in (
        ("Run", display_path(directory)),
        ("Log", display_path(log)),
        ("Follow", f"mynah jobs log {record.id} --follow"),
        ("Cancel", f"mynah jobs cancel {record.id}"),
    ):
        console.say(f"{name + ':':<8}{value}")
    return record


def described(launch: LaunchConfig) -> str:
    """Where a job runs, in words."""
    address = cluster.address_of(launch)
    return "a Ray of this machine" if address is None else f"Ray at {address}"


def run_job(
    launch: LaunchConfig,
    command: NodeCommand,
    directory: Path,
    working_directory: Path,
    accumulation: int | None,
) -> int:
    """Run a training or an evaluation on Ray to its end, in the job's process.

    Args:
        launch: What it gets.
        command: What each process runs: its words behind ``mynah``.
        directory: The run's.
        working_directory: Where the command was typed.
        accumulation: Batches that a process adds up for a step; None: no steps are done.

    Returns:
        The exit status.

    Raises:
        UserError: Ray does not answer, or has too little.
    """
    with cluster.reached(launch) as ray:
        share = cluster.check_room(cluster.nodes_of(ray), launch)
        job = job_of(launch, command, directory, working_directory, accumulation)
        many = f"{job.processes} processes of " if job.processes > 1 else ""
        console.say(f"On {described(launch)}: {many}{share}")
        return _waited_for(RunningCommand(job, launch, share))


def job_of(
    launch: LaunchConfig,
    command: NodeCommand,
    directory: Path,
    working_directory: Path,
    accumulation: int | None,
) -> JobOnRay:
    """A command as its nodes get it; see :func:`run_job`."""
    return JobOnRay(
        words=tuple(command.words),
        directory=directory,
        log=directory / LOG,
        working_directory=working_directory,
        processes=launch.nodes * cluster.processes_of(launch),
        accumulation=accumulation,
        checkpoints=command.checkpoints if command.run is not None else None,
        run=command.run,
        first=command.first,
        setup=tuple(launch.environment),
        python=launch.python,
        environment=place.passed_on(),
    )


def _waited_for(running: RunningCommand) -> int:
    """The exit status of a command; a signal lets it save, and another ends it."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)

    assert threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, note) for number in taken()}
    try:
        deadline: float | None = None
        answered = 0
        while (status := running.wait(0.2)) is None:
            if len(received) > answered:
                answered = len(received)
                if deadline is not None:
                    running.kill()
                    continue
                console.say(f"{signal.Signals(received[-1]).name}: the processes save and end.")
                running.interrupt()
                deadline = time.monotonic() + _SAVE_SECONDS
            elif deadline is not None and time.monotonic() > deadline:
                running.kill()
        return status
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
