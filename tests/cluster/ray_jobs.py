"""Jobs on a real Ray: typed in a folder, watched, and robbed of their processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

from local_ray import LocalRay, processes_of, wait_until
from slurm_jobs import SCRATCH
from workspaces import clone, run

from mynah.files import sha256
from mynah.launching.on_ray.place import read_starts

SECONDS = 400.0
STEPS, SAVED = 30, 5
TRAINING = SCRATCH.replace("train_sentences=300", "train_sentences=60").replace(
    "eval_sentences=300", "eval_sentences=10"
) + (
    f" training.max_steps={STEPS} training.eval_steps={STEPS} training.save_steps={SAVED} "
    "training.load_best_model_at_end=false training.save_total_limit=20"
)
LAUNCH = "launch=ray launch.gpus_per_node=0"


class Folder:
    """Where commands are typed on a node.

    Args:
        ray: The nodes.
        place: The folder, made here.
        cache: Of prepared corpora.
    """

    def __init__(self, ray: LocalRay, place: Path, cache: Path) -> None:
        self.ray, self.place = ray, clone(place)
        self._variables = {**ray.variables, "MYNAH_CACHE": str(cache)}

    def type(self, command: str) -> subprocess.CompletedProcess[str]:
        return run(self.place, command, **self._variables)

    def start(self, command: str, **settings: object) -> Job:
        """The job that a command starts."""
        more = " ".join(f"launch.{name}={value}" for name, value in settings.items())
        done = self.type(f"{command} {LAUNCH} launch.address={self.ray.address} {more}")
        assert done.returncode == 0, done.stdout + done.stderr
        said = done.stdout + done.stderr  # of a transcription: its output is transcripts
        found = re.search(r"^Job (ray\d+) is started: ", said, re.MULTILINE)
        place = re.search(r"^Run: +(.*)$", said, re.MULTILINE)
        assert found and place, said
        return Job(found[1], self.place / place[1])


class Job:
    """A job on Ray.

    Args:
        name: As ``ray1``.
        directory: Its own.
    """

    def __init__(self, name: str, directory: Path) -> None:
        self.name, self.directory = name, directory

    @property
    def log(self) -> str:
        path = self.directory / "job.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    @property
    def exit_status(self) -> int | None:
        path = self.directory / "job.exits"
        text = path.read_text().split() if path.exists() else []
        return int(text[0]) if text else None

    def wait_for(self, condition, seconds: float = SECONDS) -> None:
        def reached() -> bool:
            assert self.exit_status is None or condition(), self.log
            return condition()

        wait_until(reached, seconds, lambda: self.log)

    def end(self) -> int:
        """Its exit status, waited for."""
        wait_until(lambda: self.exit_status is not None, SECONDS, lambda: self.log)
        assert self.exit_status is not None
        return self.exit_status

    def steps(self) -> list[int]:
        """The steps of its log, in their order."""
        return [int(step) for step in re.findall(r"^step (\d+)/", self.log, re.MULTILINE)]

    def kill_at(self, step: int, *, worker: bool, rank: int = 0) -> None:
        """Kill a process, or Ray's worker around it, once a step is done in this start."""
        begun = len(read_starts(self.directory))
        self.wait_for(
            lambda: bool(self.steps()) and self.steps()[-1] >= step
            and len(read_starts(self.directory)) >= begun
        )  # fmt: skip
        process, parent = sorted(processes_of(self.directory).items())[rank]
        printed = len(self.steps())
        os.kill(parent if worker else process, signal.SIGKILL)
        self.wait_for(
            lambda: len(read_starts(self.directory)) > begun and len(self.steps()) > printed
        )

    def weights(self, step: int = STEPS) -> list[str]:
        last = self.directory / "model" / f"checkpoint-{step}"
        return [sha256(last / f"{name}.safetensors") for name in ("model", "optimizer")]
