"""Runs the jobs of a sweep, each in a process of its own.

A job that fails, or that the system kills for its memory, takes nothing with it: the others
run on. Ctrl-C (and SIGTERM, SIGHUP) reaches the running jobs as an interrupt, so that each
writes its checkpoint before it ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rich.text import Text

from mynah import console
from mynah.errors import UserError
from mynah.files import display_path
from mynah.stopping.signals import taken
from mynah.sweeps.jobs import LOG, Outcome, SweepJob, read_job, write_job
from mynah.sweeps.scores import read_score

_POLL_SECONDS = 0.1
_QUIET_SECONDS = 60.0  # between two lines of a running job, where the output is not a terminal
_INTERRUPT_SECONDS = 120.0  # a job has to write its checkpoint after an interrupt
# How a job ends that was asked to stop; SIGKILL is ours where it does not.
_STOPPED = (130, -signal.SIGINT, -signal.SIGKILL)


class JobProcess(Protocol):
    """What runs a job.

    Attributes:
        pid: A process that lives at least as long.
    """

    pid: int

    def poll(self) -> int | None:
        """Its exit status, negative for a signal; None: it runs."""

    def wait(self) -> int | None:
        """Its exit status, waited for."""

    def interrupt(self) -> None:
        """Let it save its checkpoint and end."""

    def kill(self) -> None:
        """End it now."""


class _Process:
    """A process of this machine."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen
        self.pid = popen.pid
        self.poll, self.wait = popen.poll, popen.wait

    def interrupt(self) -> None:
        with suppress(ProcessLookupError):
            self._popen.send_signal(signal.SIGINT)

    def kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


@dataclass
class _Running:
    job: SweepJob
    command: list[str]
    process: JobProcess
    started: float
    slot: int
    before: float  # seconds of earlier attempts
    shown: float = 0.0
    stop_sent: float | None = None


Starter = Callable[[SweepJob, list[str], int], JobProcess]


class JobSource(Protocol):
    """Where the jobs of a sweep come from, and who is to know how they end."""

    def next_job(self) -> tuple[SweepJob, str] | None:
        """A job to start, and its place among the others, as ``[2/6]``; None: not now."""

    def is_to_stop(self, job: SweepJob) -> bool:
        """Whether a running job is to save its checkpoint and end: it is pruned then."""

    def ended(self, job: SweepJob, outcome: Outcome) -> None:
        """Called once a job that was started has ended."""


class GridJobs:
    """The jobs of a grid, one after the other, each to its end.

    Args:
        jobs: What to run, in order.
        outcomes: By job number; written here as jobs end.
    """

    def __init__(self, jobs: Sequence[SweepJob], outcomes: dict[int, Outcome]) -> None:
        self._total = len(jobs)
        self._waiting = list(jobs)
        self._outcomes = outcomes

    def next_job(self) -> tuple[SweepJob, str] | None:
        """The next one, where one is left."""
        if not self._waiting:
            return None
        job = self._waiting.pop(0)
        return job, f"[{self._total - len(self._waiting)}/{self._total}]"

    def is_to_stop(self, job: SweepJob) -> bool:
        """No job of a grid is."""
        return False

    def ended(self, job: SweepJob, outcome: Outcome) -> None:
        """Note what became of it."""
        self._outcomes[job.number] = outcome


def run_jobs(
    source: JobSource,
    command: Callable[[SweepJob], list[str]],
    *,
    at_once: int = 1,
    devices: Sequence[str] | None = None,
    hold: int | None = None,
    start: Starter | None = None,
) -> bool:
    """Run jobs until there is none left, and all have ended.

    Args:
        source: Gives the jobs, in order; none at a moment when none runs: there are no more.
        command: The command line of a job.
        at_once: How many run at the same time.
        devices: Values for ``CUDA_VISIBLE_DEVICES``; the jobs that run at the same time
            share them out. None: every job sees all devices.
        hold: A file descriptor that every job keeps open (the sweep's lock).
        start: Starts a job with its command, at one of so many places; None: here.

    Returns:
        Whether all were run. False: the user stopped the sweep; the jobs that ran were
        interrupted and have ended.
    """
    running: list[_Running] = []
    slots = list(range(at_once))
    start = start or started_here(at_once, devices, hold)
    with _interrupts() as interrupts, _status_line() as show:
        try:
            while True:
                while slots and not interrupts and (found := source.next_job()):
                    job, place = found
                    running.append(_start(job, command(job), place, slots.pop(0), start))
                if not running and not interrupts:
                    return True
                for one in list(running):
                    if one.process.poll() is None:
                        _prune_where_asked(one, source)
                        show(one)
                        continue
                    running.remove(one)
                    slots.append(one.slot)
                    source.ended(one.job, _finish(one))
                if interrupts:
                    _stop(running, interrupts)
                    for one in running:
                        source.ended(one.job, _finish(one, interrupted=True))
                    return False
                if running:
                    time.sleep(_POLL_SECONDS)
        except UserError:  # a job that cannot be started leaves none behind that nobody watches
            _stop(running, interrupts)
            raise


def _prune_where_asked(one: _Running, source: JobSource) -> None:
    """Interrupt a job that is to stop, once; one that does not save in time is killed."""
    if one.stop_sent is None:
        if source.is_to_stop(one.job):
            one.stop_sent = time.monotonic()
            one.process.interrupt()
    elif time.monotonic() - one.stop_sent > _INTERRUPT_SECONDS:
        one.process.kill()


def last_lines(log: Path, count: int) -> list[str]:
    """The last lines of a job's log that say something, oldest first."""
    try:
        with log.open("rb") as handle:
            handle.seek(0, os.SEEK_END)
            handle.seek(max(0, handle.tell() - 8192))
            text = handle.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()][-count:]


def _complaint(log: Path) -> list[str]:
    """What a job said last: its error message, else its last lines."""
    lines = last_lines(log, 40)
    errors = [place for place, line in enumerate(lines) if line.startswith("error:")]
    if not errors:
        return lines[-4:]
    first = errors[-1]
    if "a mistake in Mynah" in lines[first]:  # the exception stands above it
        first = max(0, first - 1)
    return lines[first:][:6]


def how_it_ended(exit_status: int) -> str:
    """An exit status in words."""
    if exit_status >= 0:
        return f"exit status {exit_status}"
    try:
        name = signal.Signals(-exit_status).name
    except ValueError:
        name = f"signal {-exit_status}"
    memory = ", perhaps for want of memory" if name == "SIGKILL" else ""
    return f"killed by {name}{memory}"


def _start(job: SweepJob, command: list[str], place: str, slot: int, start: Starter) -> _Running:
    before = float(read_job(job.directory).get("seconds", 0.0))
    try:
        job.directory.mkdir(parents=True, exist_ok=True)
        process = start(job, command, slot)
        started = _described(job, command, "running", before, None) | {"process": process.pid}
        write_job(job.directory, started)
    except OSError as problem:
        raise UserError(
            f"A job of the sweep cannot be started: {problem.strerror or problem}.",
            where=str(job.directory),
            fix="free space or fix permissions there, and give the same command again",
        ) from problem
    console.say(f"{place} {job.label}: started, log in {display_path(job.directory / LOG)}")
    now = time.monotonic()
    return _Running(job, command, process, now, slot, before, shown=now)


def started_here(at_once: int, devices: Sequence[str] | None, hold: int | None) -> Starter:
    """Starts jobs as processes of this machine; see :func:`run_jobs`."""

    def start(job: SweepJob, command: list[str], slot: int) -> JobProcess:
        environment = dict(os.environ, PYTHONUNBUFFERED="1")
        if at_once > 1:
            threads = max(1, (os.cpu_count() or 1) // at_once)
            environment.setdefault("OMP_NUM_THREADS", str(threads))
        if devices:
            environment["CUDA_VISIBLE_DEVICES"] = devices[slot % len(devices)]
        with (job.directory / LOG).open("ab") as log:
            return _Process(
                subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    start_new_session=True,  # the terminal's Ctrl-C comes through us, once
                    pass_fds=() if hold is None else (hold,),
                )
            )

    return start


def _finish(one: _Running, interrupted: bool = False) -> Outcome:
    exit_status = one.process.wait()
    assert exit_status is not None
    seconds = one.before + time.monotonic() - one.started
    if exit_status == 0:  # also where it came to its end before it was stopped
        outcome = Outcome("done", seconds, 0)
    elif one.stop_sent is not None and exit_status in _STOPPED:
        outcome = Outcome("pruned", seconds, exit_status)
    elif interrupted or exit_status in (130, -signal.SIGINT):
        outcome = Outcome("interrupted", seconds, exit_status)
    else:
        outcome = Outcome("killed" if exit_status < 0 else "failed", seconds, exit_status)
    with suppress(OSError):  # a full disk must not stop the other jobs
        write_job(
            one.job.directory,
            _described(one.job, one.command, outcome.status, seconds, exit_status),
        )
    if outcome.well:
        outcome.score = read_score(one.job.directory)
    score = outcome.score
    rate = f", {score.metric.label} {score.shown}" if score is not None else ""
    ended: str = outcome.status
    if ended in ("failed", "killed"):
        ended += f" ({how_it_ended(exit_status).removeprefix('killed by ')})"
    console.say(f"      {one.job.label}: {ended} after {clock_time(seconds)}{rate}")
    if outcome.status in ("failed", "killed"):
        for line in _complaint(one.job.directory / LOG):
            console.say(f"      | {line}")
    return outcome


def _described(
    job: SweepJob, command: list[str], status: str, seconds: float, exit_status: int | None
) -> dict[str, Any]:
    return {
        "status": status,
        "exit_status": exit_status,
        "seconds": round(seconds, 1),
        "overrides": list(job.overrides),
        "swept": dict(job.swept),
        "command": command,
    }


def _stop(running: Sequence[_Running], interrupts: Sequence[int]) -> None:
    """Interrupt the running jobs and wait for them; a second Ctrl-C or a long wait kills."""
    if not running:
        return
    console.say("Stopping: the running job writes its checkpoint. Ctrl-C again kills it.")
    before = len(interrupts)
    for one in running:
        one.process.interrupt()
    deadline = time.monotonic() + _INTERRUPT_SECONDS
    while any(one.process.poll() is None for one in running):
        if len(interrupts) > before or time.monotonic() > deadline:
            for one in running:
                one.process.kill()
            return
        time.sleep(_POLL_SECONDS)


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Collects the signals that end a command while the jobs run, instead of dying of them."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = {
        number: signal.signal(number, lambda got, frame: received.append(got)) for number in taken()
    }
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _status_line() -> Iterator[Callable[[_Running], None]]:
    """What shows a running job: a line that changes on a terminal, a new one a minute elsewhere."""
    terminal = console.console()
    if terminal.is_terminal:
        with terminal.status("") as status:

            def refresh(one: _Running) -> None:
                now = time.monotonic()
                if now - one.shown >= 0.5:
                    one.shown = now
                    line = _progress_line(one, now)[: max(20, terminal.width - 4)]
                    status.update(Text(line))

            yield refresh
        return

    def print_now_and_then(one: _Running) -> None:
        now = time.monotonic()
        if now - one.shown >= _QUIET_SECONDS:
            one.shown = now
            console.say(f"      {_progress_line(one, now)}")

    yield print_now_and_then


def _progress_line(one: _Running, now: float) -> str:
    newest = " ".join(last_lines(one.job.directory / LOG, 1))
    return f"{one.job.label}: {clock_time(now - one.started)}  {newest}".rstrip()


def clock_time(seconds: float) -> str:
    """``75.2`` as ``1:15``, ``4000`` as ``1:06:40``."""
    total = round(seconds)
    hours, rest = divmod(total, 3600)
    if hours:
        return f"{hours}:{rest // 60:02}:{rest % 60:02}"
    return f"{rest // 60}:{rest % 60:02}"
