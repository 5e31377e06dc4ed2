"""A sweep on Ray: its jobs run where there is room, and the sweep itself is the job that waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mynah.config.schema import LaunchConfig
from mynah.launching.on_ray import cluster
from mynah.launching.on_ray.command import RunningCommand
from mynah.launching.on_ray.job import job_of, start_job
from mynah.launching.on_ray.place import job_directory
from mynah.launching.sweep import on_node
from mynah.sweeps.jobs import SweepJob
from mynah.sweeps.processes import Starter


@dataclass(frozen=True)
class Room:
    """What a sweep has on Ray.

    Attributes:
        start: Starts one of its jobs.
        at_once: How many run at the same time.
    """

    start: Starter
    at_once: int


def handed_over(
    launch: LaunchConfig,
    arguments: Sequence[str],
    sweep_directory: Path,
    working_directory: Path,
) -> bool:
    """Start a sweep as a job, unless this process is that job.

    Args:
        launch: What each of its jobs gets.
        arguments: As typed behind ``mynah train``.
        sweep_directory: The sweep's.
        working_directory: Where the command was typed.

    Raises:
        UserError: The sweep runs already, or cannot be started.
    """
    if job_directory() is not None:
        return False
    start_job("sweep", launch, ["train", *arguments], sweep_directory, working_directory)
    return True


@contextmanager
def room_for(
    launch: LaunchConfig,
    command: Callable[[SweepJob, list[str]], list[str]],
    working_directory: Path,
) -> Iterator[Room]:
    """Be connected to Ray in the block, for the jobs of a sweep.

    Args:
        launch: What each job gets.
        command: The command line of a job, given overrides to add to its own.
        working_directory: Where the command was typed.

    Raises:
        UserError: Ray does not answer, or has too little for one job.
    """
    with cluster.reached(launch) as ray:
        nodes = cluster.nodes_of(ray)
        share = cluster.check_room(nodes, launch)
        processes = launch.nodes * cluster.processes_of(launch)
        fits = sum(share.times_on(node) for node in nodes) // processes

        def start(job: SweepJob, words: list[str], slot: int) -> RunningCommand:
            training = job.settings["training"]
            trains = job.settings.get("eval_checkpoint") is None
            own = job_of(
                launch,
                on_node(command, job, working_directory).of_mynah(),
                job.directory,
                working_directory,
                training["gradient_accumulation_steps"] if trains else None,
            )
            return RunningCommand(own, launch, share)

        yield Room(start, launch.at_once or max(1, fits))
