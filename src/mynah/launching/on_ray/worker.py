"""What a node of Ray runs of a job: our own command as a process, watched to its end."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mynah.config.hydra.literal_paths import literal
from mynah.config.values import argument
from mynah.launching.on_ray.place import asked_to_stop, note_start
from mynah.machine import __version__
from mynah.ranks.environment import PLANNED

_LOOK_SECONDS = 0.2
_HOST = ("-m", "mynah.cli.shared.hosted", "process")
_ACCUMULATION = "training.gradient_accumulation_steps"
USERS, INTERRUPTED = 2, 130


class ProcessLostError(Exception):
    """A process of a job ended as none does by itself: Ray is to begin all again."""


@dataclass(frozen=True)
class JobOnRay:
    """A command with its directory, as its nodes get it.

    Attributes:
        words: Of the command, behind ``mynah``.
        directory: The job's own: where it is asked to stop.
        log: Where all processes print.
        working_directory: Where the command was typed.
        processes: How many there are if none is missing.
        accumulation: Batches that a process adds up for a step then; None: no steps are done.
        checkpoints: Where they go; None: of an evaluation, which begins again from nothing.
        run: What is resumed when it begins again.
        first: The override of the first start alone: what the command was typed to resume.
        setup: Lines of shell that run first.
        python: What runs the command; None: what runs this.
        environment: Variables that are the same on every node.
        version: Of Mynah.
    """

    words: Sequence[str]
    directory: Path
    log: Path
    working_directory: Path
    processes: int = 1
    accumulation: int | None = None
    checkpoints: Path | None = None
    run: Path | None = None
    first: str | None = None
    setup: Sequence[str] = ()
    python: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    version: str = __version__


@dataclass(frozen=True)
class Begun:
    """What the first process decides for all.

    Attributes:
        words: The command's, with what it resumes.
        processes: How many work: the others have nothing to do.
        host: Where the first one is.
        port: Where it waits for the others.
    """

    words: tuple[str, ...]
    processes: int
    host: str
    port: int


def run_on_worker(given: Mapping[str, JobOnRay]) -> int:
    """What Ray Train runs on each of its workers.

    Args:
        given: The job, as ``job``.

    Returns:
        The exit status of the process here.

    Raises:
        ProcessLostError: It was killed, or failed by a fault that is not the user's.
    """
    import ray.train
    from ray.train.collective import broadcast_from_rank_zero

    job = given["job"]
    context = ray.train.get_context()
    rank, size = context.get_world_rank(), context.get_world_size()
    if asked_to_stop(job.directory):
        return INTERRUPTED
    begun = broadcast_from_rank_zero(begin(job, size) if rank == 0 else None)
    if rank >= begun.processes:
        return 0
    variables = _ranks(begun, rank, context.get_local_rank()) if begun.processes > 1 else {}
    if job.accumulation is not None:
        variables[PLANNED] = str(job.processes)
    if job.version != __version__:
        here = socket.gethostname()
        print_to(
            job.log,
            f"error: Mynah {__version__} on {here}, and {job.version} where the command was typed: "
            "install one version everywhere",
        )
        return USERS
    status = _watched(job, begun.words, variables)
    if asked_to_stop(job.directory):
        return INTERRUPTED if status else 0
    if status < 0 or status not in (0, USERS, INTERRUPTED):
        raise ProcessLostError(f"rank {rank} on {socket.gethostname()}: exit status {status}")
    return status


def begin(job: JobOnRay, size: int) -> Begun:
    """Decide with how many processes a job begins, and from what.

    A step keeps its batches: each of fewer processes has those of several in turn.

    Args:
        job: The job.
        size: How many workers Ray has room for.
    """
    words = list(job.words)
    processes = size
    if job.accumulation is not None and size != job.processes:
        processes = max(n for n in range(1, size + 1) if job.processes % n == 0)
        words.append(f"{_ACCUMULATION}={job.processes * job.accumulation // processes}")
    resumed = bool(job.checkpoints and any(job.checkpoints.glob("checkpoint-*")))
    start = note_start(job.directory, processes, resumed=resumed)
    if resumed and job.run is not None and (start.number > 1 or job.first is None):
        words.append(argument("resume_from_checkpoint", literal(str(job.run))))
    elif job.first is not None:
        words.append(job.first)
    if start.number > 1:
        missing = f" (of {job.processes})" if processes < job.processes else ""
        print_to(job.log, f"Start {start.number}: {processes} process"
               f"{'es' * (processes > 1)}{missing}")  # fmt: skip
    return Begun(tuple(words), processes, _own_address(), _free_port())


def _ranks(begun: Begun, rank: int, local_rank: int) -> dict[str, str]:
    return {
        "RANK": str(rank),
        "WORLD_SIZE": str(begun.processes),
        "LOCAL_RANK": str(local_rank),
        "MASTER_ADDR": begun.host,
        "MASTER_PORT": str(begun.port),
        "MYNAH_LAUNCHED": "ray",
    }


def _watched(job: JobOnRay, words: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run the command as a process of its own; its exit status, negative for a signal."""
    own = [job.python or sys.executable, *_HOST, str(os.getpid()), *words]
    if job.setup:
        own = ["bash", "-c", "\n".join(["set -eE", *job.setup, f"exec {shlex.join(own)}"])]
    with job.log.open("ab") as log:
        child = subprocess.Popen(
            own,
            cwd=job.working_directory,
            env={**os.environ, **job.environment, **variables, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    told = ""
    try:
        while child.poll() is None:
            asked = asked_to_stop(job.directory)
            if asked != told:
                told = asked
                child.send_signal(signal.SIGKILL if asked == "now" else signal.SIGTERM)
            time.sleep(_LOOK_SECONDS)
    finally:
        if child.poll() is None:
            child.kill()
    return child.returncode


def print_to(log: Path, text: str) -> None:
    """Add a line to a job's log."""
    with suppress(OSError), log.open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")


def _own_address() -> str:
    import ray.util

    return str(ray.util.get_node_ip_address())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])
