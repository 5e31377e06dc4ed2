"""Ray, reached or started: what it has, and whether a job finds room there."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import math
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mynah.config.schema import LaunchConfig
from mynah.errors import UserError
from mynah.stopping.signals import SIGNALS

if TYPE_CHECKING:
    from types import ModuleType

AUTO = "auto"
_ANSWER_SECONDS = 5.0
_STORE_BYTES = 200 << 20  # what goes between our processes is small
_STARTS = 2  # a Ray of one's own gives up after 15 seconds on a busy machine
_MEMORY = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
# Nothing is reported to anybody, and a job's folder is its own.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
_FOR_RAY = "launch=ray"


@dataclass(frozen=True)
class Share:
    """What one process of a job, or one part of its work, is given.

    Attributes:
        cpus: Cores.
        gpus: GPUs, or a part of one.
        memory: Bytes; None: nothing is asked for.
        gpu_type: As ``A100``; None: any.
    """

    cpus: int = 1
    gpus: float = 0.0
    memory: int | None = None
    gpu_type: str | None = None

    @property
    def resources(self) -> dict[str, float]:
        """As Ray calls them."""
        found: dict[str, float] = {"CPU": float(self.cpus)}
        if self.gpus:
            found["GPU"] = self.gpus
        if self.memory:
            found["memory"] = float(self.memory)
        return found

    def times_on(self, node: Mapping[str, float]) -> int:
        """How many such shares a node has."""
        if self.gpu_type and f"accelerator_type:{self.gpu_type}" not in node:
            return 0
        return min(math.floor(node.get(name, 0.0) / of) for name, of in self.resources.items())

    def __str__(self) -> str:
        parts = [_count(self.cpus, "core")]
        if self.gpus:
            parts.append(_count(self.gpus, f"{self.gpu_type or ''} GPU".strip()))
        if self.memory:
            parts.append(f"{self.memory / (1 << 30):.3g} GiB")
        return ", ".join(parts)


def _count(number: float, what: str) -> str:
    return f"{number:g} {what}{'' if number == 1 else 's'}"


def processes_of(launch: LaunchConfig) -> int:
    """How many processes a job has on each node."""
    return launch.processes_per_node or launch.gpus_per_node or 1


def share_of(launch: LaunchConfig, *, has_gpus: bool, decodes_audio_alone: bool = False) -> Share:
    """What each process of a job is given.

    Args:
        launch: The settings.
        has_gpus: Whether Ray has any GPU.
        decodes_audio_alone: Whether it has no use for one.
    """
    processes = processes_of(launch)
    gpus = float(has_gpus) if launch.gpus_per_node is None else launch.gpus_per_node / processes
    return Share(
        cpus=launch.cpus_per_process or 1,
        gpus=0.0 if decodes_audio_alone else gpus,
        memory=None if launch.memory is None else memory_bytes(launch.memory) // processes,
        gpu_type=launch.gpu_type.upper() if launch.gpu_type and gpus else None,
    )


def memory_bytes(text: str) -> int:
    """``64G`` in bytes; a number alone is megabytes, as SLURM has it."""
    unit = text[-1].upper()
    return int(text[:-1]) * _MEMORY[unit] if unit in _MEMORY else int(text) * _MEMORY["M"]


def check_installed() -> None:
    """See that Ray is installed, without importing it.

    Raises:
        UserError: It is not.
    """
    if importlib.util.find_spec("ray") is None:
        raise UserError(
            "Jobs on Ray need the package ray, which is not installed.",
            where=_FOR_RAY,
            fix='pip install "mynah-asr[ray]"; or leave launch=ray out',
        )


def address_of(launch: LaunchConfig) -> str | None:
    """Where Ray answers; None: on this machine, and it is to be started."""
    return launch.address or os.environ.get("RAY_ADDRESS") or None


def check_answers(address: str) -> None:
    """See that something answers at HOST:PORT, in seconds.

    Raises:
        UserError: Nothing does, or it is not an address of one.
    """
    if address == AUTO:
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "://" in address:
        raise UserError(
            f"{address!r} is not the address of a Ray: that is HOST:PORT, as head:6379.",
            where="launch.address",
            fix="launch.address=auto  on a node of it; ray start --head  prints the address",
        )
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWER_SECONDS).close()
    except (OSError, OverflowError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise UserError(
            f"No Ray answers at {address}: {reason}.",
            where="launch.address" if "RAY_ADDRESS" not in os.environ else "RAY_ADDRESS",
            fix="ray status  on its head says whether it runs; ray start --head  starts one",
        ) from None


def ray_module() -> ModuleType:
    """Ray, imported with nothing that it would tell others."""
    check_installed()
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    return importlib.import_module("ray")


@contextmanager
def reached(launch: LaunchConfig) -> Iterator[ModuleType]:
    """Be connected to Ray in the block; one that was started for it ends with it.

    Raises:
        UserError: It does not answer, is of another version, or does not start here.
    """
    address = address_of(launch)
    if address is not None:
        check_answers(address)
    ray = ray_module()
    try:
        with _own_signals():
            _start(ray) if address is None else _connect(ray, address)
        yield ray
    finally:
        ray.shutdown()


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the answers to signals that Ray would take over."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


def _connect(ray: ModuleType, address: str) -> None:
    try:
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except Exception as problem:
        said = " ".join(str(problem).split())
        if "ersion" in said:
            what = f"The Ray at {address} is of another version than the one here: {said[:300]}"
            fix = "install the same versions of Python and Ray on every machine"
        elif address == AUTO:
            what = "This machine is not a node of any Ray."
            fix = "type the command on a node, or start one:  ray start --head"
        else:
            what = f"The Ray at {address} cannot be reached from here: {said[:300]}"
            fix = "type the command on a machine that is a node of it"
        raise UserError(what, where="launch.address", fix=fix) from problem


def _start(ray: ModuleType) -> None:
    for left in reversed(range(_STARTS)):
        try:
            ray.init(
                address="local",
                include_dashboard=False,
                object_store_memory=_STORE_BYTES,
                logging_level=logging.ERROR,
                log_to_driver=False,
            )
            return
        except Exception as problem:
            ray.shutdown()
            if left:
                continue
            said = " ".join(str(problem).split())
            raise UserError(
                f"Ray does not start on this machine: {said[:300]}",
                where=_FOR_RAY,
                fix="it gives up after 15 seconds where other work is in the way; its logs: "
                "/tmp/ray/session_latest/logs",
            ) from problem


def nodes_of(ray: ModuleType) -> list[dict[str, float]]:
    """What each node that lives has, in Ray's names."""
    return [dict(node["Resources"]) for node in ray.nodes() if node["Alive"]]


def nodes_here() -> list[dict[str, float]]:
    """What a Ray of this machine alone would have."""
    gpus = len(list(Path("/dev").glob("nvidia[0-9]*")))
    return [{"CPU": float(os.cpu_count() or 1), "GPU": float(gpus), "memory": math.inf}]


def check_room(
    nodes: Sequence[Mapping[str, float]], launch: LaunchConfig, *, spread: bool = False
) -> Share:
    """See that a job could ever run, and say what each of its processes gets.

    Args:
        nodes: What Ray has.
        launch: The settings.
        spread: Whether the job is many parts of work, each for itself.

    Raises:
        UserError: It asks for more than there is.
    """
    has_gpus = any(node.get("GPU") for node in nodes)
    share = share_of(launch, has_gpus=has_gpus)
    processes, least = processes_of(launch), launch.least_processes
    if spread:
        fits, wanted = any(share.times_on(node) for node in nodes), f"a node with {share}"
    elif least is not None:
        fits = sum(share.times_on(node) for node in nodes) >= least
        wanted = f"{least} process{'es' * (least > 1)} of {share}"
    else:
        fits = sum(share.times_on(node) >= processes for node in nodes) >= launch.nodes
        wanted = _count(launch.nodes, "node") + (
            f" with {processes} times {share}" if processes > 1 else f" with {share}"
        )
    if fits:
        return share
    there = "; ".join(_shown(node) for node in nodes[:4]) + ("; …" if len(nodes) > 4 else "")
    raise UserError(
        f"The job asks for {wanted}, and Ray has {_count(len(nodes), 'node')}: {there}.",
        where="launch.nodes, launch.processes_per_node, launch.cpus_per_process, "
        "launch.gpus_per_node, launch.memory",
        fix="ask for less, or start more nodes:  ray start --address=HOST:PORT",
    )


def _shown(node: Mapping[str, float]) -> str:
    parts = [_count(node.get("CPU", 0.0), "core"), _count(node.get("GPU", 0.0), "GPU")]
    memory = node.get("memory", math.inf)
    if math.isfinite(memory):
        parts.append(f"{memory / (1 << 30):.3g} GiB")
    return ", ".join(parts)
