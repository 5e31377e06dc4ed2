"""Work in pieces as tasks of Ray: who loses a process loses a piece, which is done again."""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from mynah import console
from mynah.config.schema import LaunchConfig
from mynah.errors import UserError
from mynah.launching.on_ray import cluster, place
from mynah.machine import __version__
from mynah.ranks.spread import Done, Piece

_AHEAD = 2  # pieces that wait at each process, so that none is idle
_LOOK_SECONDS = 20.0  # between two looks whether there is still room at all


@dataclass(frozen=True)
class _Here:
    """What a piece finds wherever it is done."""

    working_directory: Path
    environment: Mapping[str, str]
    version: str = __version__


@contextmanager
def spread_over(launch: LaunchConfig, *, decodes_audio_alone: bool) -> Iterator[RayTasks]:
    """Be connected to Ray in the block, for work in pieces.

    Args:
        launch: What each piece is given.
        decodes_audio_alone: Whether it has no use for a GPU.

    Raises:
        UserError: Ray does not answer, or has too little for one piece.
    """
    with cluster.reached(launch) as ray:
        yield RayTasks(ray, launch, decodes_audio_alone=decodes_audio_alone)


class RayTasks:
    """Does pieces of work wherever Ray has room: a :class:`mynah.ranks.spread.Spread`.

    Args:
        ray: Ray, connected.
        launch: What each piece is given, and how often it is done again.
        decodes_audio_alone: Whether it has no use for a GPU.

    Attributes:
        lost: How many times a piece was begun again.
    """

    def __init__(self, ray: ModuleType, launch: LaunchConfig, *, decodes_audio_alone: bool) -> None:
        self._ray, self._launch = ray, launch
        nodes = cluster.nodes_of(ray)
        has_gpus = any(node.get("GPU") for node in nodes)
        cluster.check_room(nodes, launch, spread=True)
        self._share = cluster.share_of(
            launch, has_gpus=has_gpus, decodes_audio_alone=decodes_audio_alone
        )
        self.lost = 0
        self._here = _Here(Path.cwd(), place.passed_on())

    def each(
        self, work: Callable[[Piece], Done], pieces: Sequence[Piece]
    ) -> Iterator[tuple[int, Done]]:
        """See :class:`mynah.ranks.spread.Spread`."""
        room = sum(self._share.times_on(node) for node in cluster.nodes_of(self._ray))
        most = self._launch.at_once or room * _AHEAD
        console.say(f"{len(pieces)} parts on Ray, {min(self._launch.at_once or room, room)} at a "
                    f"time, each with {self._share}")  # fmt: skip
        task = self._task()
        waiting = deque(range(len(pieces)))
        running: dict[Any, int] = {}
        losses: dict[int, int] = {}
        try:
            while waiting or running:
                while waiting and len(running) < most:
                    number = waiting.popleft()
                    running[task.remote(work, pieces[number], self._here)] = number
                ended, _ = self._ray.wait(list(running), timeout=_LOOK_SECONDS)
                if not ended:
                    cluster.check_room(cluster.nodes_of(self._ray), self._launch, spread=True)
                for one in ended:
                    number = running.pop(one)
                    try:
                        yield number, self._ray.get(one)
                    except self._ray.exceptions.RayTaskError as problem:
                        raise _cause(problem) from None
                    except self._ray.exceptions.RayError as problem:
                        losses[number] = losses.get(number, 0) + 1
                        self._begin_again(number, losses[number], len(pieces), problem)
                        waiting.appendleft(number)
        finally:
            for one in running:
                self._ray.cancel(one, force=True)

    def _task(self) -> Any:
        """The function that Ray's processes run; what is lost is begun again here, and counted."""
        share = self._share
        return self._ray.remote(
            num_cpus=share.cpus,
            num_gpus=share.gpus,
            max_retries=0,
            **({"memory": share.memory} if share.memory else {}),
            **({"accelerator_type": share.gpu_type} if share.gpu_type else {}),
        )(_done)

    def _begin_again(self, number: int, losses: int, pieces: int, problem: Exception) -> None:
        """Say that a process was lost.

        Raises:
            UserError: It was one too many.
        """
        self.lost += 1
        reason = f"{type(problem).__name__.removesuffix('Error')}"
        if losses > self._launch.retries:
            often = "once" if losses == 1 else f"{losses} times"
            raise UserError(
                f"Part {number + 1} of {pieces} lost its process {often} ({reason}), and is "
                "given up. What is done is kept.",
                where=f"launch.retries={self._launch.retries}",
                fix="where its memory did not suffice: launch.memory=8G, or fewer at a time with "
                "launch.at_once; then the same command again",
            )
        console.say(f"Part {number + 1} of {pieces} lost its process ({reason}) and is begun again")


def _done(work: Callable[[Piece], Done], piece: Piece, here: _Here) -> Done:
    """Do a piece, in a process of Ray."""
    if here.version != __version__:
        raise UserError(
            f"Mynah {__version__} is installed on {socket.gethostname()}, and {here.version} where "
            "the command was typed.",
            where="launch=ray",
            fix="install one version everywhere",
        )
    os.environ.update(here.environment)
    os.chdir(here.working_directory)
    return work(piece)


def _cause(problem: Any) -> BaseException:
    cause = getattr(problem, "cause", None)
    return cause if isinstance(cause, BaseException) else problem
