"""What a sweep consists of: its jobs, their names, and what became of each."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mynah.config.schema.launch import is_launch
from mynah.files import read_json, write_json
from mynah.runs.directory import JOB
from mynah.runs.record import read_record
from mynah.sweeps.scores import Score

LOG = "job.log"  # everything that the job printed

Status = Literal["done", "done before", "pruned", "failed", "killed", "interrupted", "not run"]

_SLUG = 60  # characters of a directory's name, before its hash


@dataclass(frozen=True)
class SweepJob:
    """One run of a sweep.

    Attributes:
        number: Its place in the grid, from 0.
        overrides: All overrides of the job, ``key=value``.
        swept: Those that not all jobs share, by key.
        settings: The effective configuration, a plain tree.
        directory: Its run directory, named by the hash of its settings.
    """

    number: int
    overrides: tuple[str, ...]
    swept: Mapping[str, str]
    settings: Mapping[str, Any] = field(repr=False)
    directory: Path

    @property
    def label(self) -> str:
        """What sets the job apart, as a person would say it: ``lora_r=8 learning_rate=1e-5``."""
        return short_label(self.swept) or "the only job"

    @property
    def without_seed(self) -> dict[str, str]:
        """What is swept, but the seed: jobs that agree in it differ by chance alone."""
        return {key: value for key, value in self.swept.items() if key != "training.seed"}


@dataclass
class Outcome:
    """What became of a job.

    Attributes:
        status: How it ended.
        seconds: Time it ran, over all attempts.
        exit_status: Of its process; negative: the signal that killed it; None: not run.
        score: What the first evaluation split came to, of a pruned job at its last evaluation;
            None: not measured.
        pruned_at: The step of the evaluation that pruned it; None: it was not.
        others: What else it is measured by, where a search has several objectives.
    """

    status: Status
    seconds: float = 0.0
    exit_status: int | None = None
    score: Score | None = None
    pruned_at: int | None = None
    others: tuple[Score, ...] = ()

    @property
    def well(self) -> bool:
        """Whether it came to its end."""
        return self.status in ("done", "done before")

    @property
    def went_wrong(self) -> bool:
        """Whether it neither came to its end nor was stopped by a search."""
        return not self.well and self.status != "pruned"


def short_label(overrides: Mapping[str, str]) -> str:
    """``training.learning_rate=1e-5`` as ``learning_rate=1e-5``, where that stays unambiguous."""
    leaves = [key.rpartition(".")[2] for key in overrides]
    parts = []
    for key, value in overrides.items():
        leaf = key.rpartition(".")[2]
        parts.append(f"{leaf if leaves.count(leaf) == 1 else key}={value}")
    return " ".join(parts)


def job_digest(content: Any) -> str:
    """Eight hexadecimal digits that stand for any plain tree."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def slug(text: str) -> str:
    """``text`` as part of a directory's name that no shell and no Hydra has to quote."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.")[:_SLUG].rstrip("-.")


def sweep_name(definition: Iterable[tuple[str, Sequence[str]]]) -> str:
    """The name of a sweep: the same for the same grid, in whatever order it was typed.

    Args:
        definition: Each override's key and its values, one where it is not swept.
    """
    grid = {key: sorted(values) for key, values in definition}
    swept = [key.rpartition(".")[2] for key, values in grid.items() if len(values) > 1]
    return "-".join([slug("-".join(sorted(swept))) or "sweep", job_digest(grid)])


def make_jobs(
    overrides: Sequence[Sequence[str]],
    settings: Sequence[Mapping[str, Any]],
    sweep_directory: Path,
    first_number: int = 0,
) -> list[SweepJob]:
    """The jobs of a sweep.

    Args:
        overrides: Of each job, ``key=value``.
        settings: The effective configuration of each job, in the same order.
        sweep_directory: Where their directories are.
        first_number: Number of the first one.
    """
    shared = set(overrides[0]).intersection(*overrides) if len(overrides) > 1 else set()
    jobs = []
    for position, (own, tree) in enumerate(zip(overrides, settings, strict=True)):
        elsewhere = {text for text in own if is_launch(text)}
        pairs = (text.partition("=") for text in own if text not in shared | elsewhere)
        swept = {key.lstrip("+"): value for key, _, value in pairs}
        directory = sweep_directory / job_name(swept, tree)
        jobs.append(SweepJob(first_number + position, tuple(own), swept, tree, directory))
    return jobs


def job_name(swept: Mapping[str, str], settings: Mapping[str, Any]) -> str:
    """The name of a job's directory: what sets it apart, and a hash of what it learns."""
    return "-".join(filter(None, [slug(short_label(swept)), learned_digest(settings)]))


def learned_digest(settings: Mapping[str, Any]) -> str:
    """Eight hexadecimal digits that stand for settings as far as they decide what is learned."""
    identity = json.loads(json.dumps(settings, default=str))
    # Where results are written, where a job runs and what searches are not what is learned.
    identity.get("training", {}).pop("output_dir", None)
    identity.pop("sweep", None)
    identity.pop("launch", None)
    return job_digest(identity)


def read_job(directory: Path) -> dict[str, Any]:
    """What the sweep wrote about a job, or an empty dict."""
    return read_json(directory / JOB)


def write_job(directory: Path, content: Mapping[str, Any]) -> None:
    """Write what is known of a job; a reader sees the old file or the new one."""
    directory.mkdir(parents=True, exist_ok=True)
    write_json(directory / JOB, content, indent=2)


def is_finished(job: SweepJob) -> bool:
    """Whether a job is done: the sweep saw it end well, or the run itself wrote so."""
    if read_job(job.directory).get("status") == "done":
        return True
    return read_record(job.directory).get("status") == "done"
