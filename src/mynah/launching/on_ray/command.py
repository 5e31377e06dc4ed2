"""One command on Ray's nodes: started, begun again where a process is lost, asked to stop."""

from __future__ import annotations

import os
import shutil
import threading
from typing import TYPE_CHECKING, Any

from mynah.config.schema import LaunchConfig
from mynah.launching.on_ray import place
from mynah.launching.on_ray.cluster import Share, processes_of
from mynah.launching.on_ray.worker import INTERRUPTED, JobOnRay, print_to, run_on_worker

if TYPE_CHECKING:
    from ray.train import ScalingConfig

_STORAGE = ".ray"
LOST = 1


class RunningCommand:
    """A command that Ray Train runs, watched by a thread of this process.

    Args:
        job: The command.
        launch: What it asks for.
        share: What each of its processes gets.
    """

    def __init__(self, job: JobOnRay, launch: LaunchConfig, share: Share) -> None:
        self.pid = os.getpid()
        self._job, self._launch, self._share = job, launch, share
        self._status: int | None = None
        self._over = threading.Event()
        place.forget(job.directory)
        self._thread = threading.Thread(target=self._run, daemon=True, name="ray")
        self._thread.start()

    def poll(self) -> int | None:
        """Its exit status; None: it runs, or waits for room."""
        return self._status if self._over.is_set() else None

    def wait(self, seconds: float | None = None) -> int | None:
        """Its exit status, waited for at most so long; None: it still runs."""
        self._over.wait(seconds)
        return self.poll()

    def interrupt(self) -> None:
        """Let it save and end; one that has not begun ends at once."""
        place.ask_to_stop(self._job.directory)
        if not place.read_starts(self._job.directory):
            self._end(INTERRUPTED)

    def kill(self) -> None:
        """End it now."""
        place.ask_to_stop(self._job.directory, now=True)
        self._end(INTERRUPTED)

    def _end(self, status: int) -> None:
        if not self._over.is_set():
            self._status = status
            self._over.set()

    def _run(self) -> None:
        directory = self._job.directory
        try:
            status = self._fitted()
        except Exception as problem:
            status = INTERRUPTED if place.asked_to_stop(directory) else LOST
            if status == LOST:
                said = _given_up(problem, len(place.read_starts(directory)), self._launch)
                print_to(self._job.log, said)
        shutil.rmtree(directory / _STORAGE, ignore_errors=True)
        self._end(status)

    def _fitted(self) -> int:
        from ray.train import FailureConfig, RunConfig
        from ray.train.torch import TorchTrainer

        from mynah.launching.on_ray.backend import OwnProcesses

        trainer = TorchTrainer(
            run_on_worker,
            train_loop_config={"job": self._job},
            torch_config=OwnProcesses(),
            scaling_config=self._scaling(),
            run_config=RunConfig(
                name=self._launch.name,
                storage_path=str(self._job.directory / _STORAGE),
                failure_config=FailureConfig(max_failures=self._launch.retries),
            ),
        )
        status: Any = trainer.fit().return_value
        return int(status)

    def _scaling(self) -> ScalingConfig:
        from ray.train import ScalingConfig

        launch, wanted = self._launch, self._job.processes
        least = launch.least_processes if self._job.accumulation is not None else None
        alone = launch.nodes == 1
        strategy = "PACK" if alone else "SPREAD"
        if least is None and (alone or processes_of(launch) == 1):
            strategy = f"STRICT_{strategy}"
        return ScalingConfig(
            num_workers=wanted if least is None else (min(least, wanted), wanted),
            use_gpu=self._share.gpus > 0,
            resources_per_worker=self._share.resources,
            placement_strategy=strategy,
            accelerator_type=self._share.gpu_type,
            elastic_resize_monitor_interval_s=float(launch.grow_seconds),
        )


def _given_up(problem: Exception, starts: int, launch: LaunchConfig) -> str:
    said = [line.strip() for line in str(problem).splitlines() if line.strip()]
    last = next((line for line in reversed(said) if "LostError" in line), (said or [""])[-1])
    times = "once" if starts == 1 else f"{starts} times"
    return (
        f"error: the job was started {times} and is given up (launch.retries={launch.retries}): "
        f"{last.rpartition('LostError: ')[2] or type(problem).__name__}"
    )
