"""Searches whose trainings are a function of their point: nothing is trained, all else is real."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mynah.config.hydra.overrides import parse_overrides
from mynah.config.schema import Config, SweepConfig
from mynah.config.settings import with_value
from mynah.runs.evaluations import EVALUATIONS_FILE
from mynah.sweeps.jobs import Outcome, SweepJob, write_job
from mynah.sweeps.search.objectives import objectives_of
from mynah.sweeps.search.plan import Search
from mynah.sweeps.search.reading import read_space
from mynah.sweeps.search.run import Trainings
from mynah.sweeps.search.source import SearchJobs
from mynah.sweeps.search.study import SearchStudy

Curve = Callable[[Mapping[str, str]], Mapping[int, float]]
"""The error rate at each step that is measured, the last one included, from what is varied."""


def search_of(*overrides: str, **how: object) -> Search:
    """A search as it would be typed, with settings of ``sweep``."""
    space, fixed = read_space(parse_overrides(overrides))
    settings = SweepConfig(**how)
    objectives = objectives_of(Config(sweep=settings))
    return Search(space, tuple(fixed), settings, objectives, "0123abcd")


def composed(overrides: Sequence[str]) -> Config:
    """The settings of overrides, none of them checked."""
    config = Config()
    for override in parse_overrides(overrides):
        config = with_value(config, override.key_or_group, override.value())
    return config


@dataclass
class StubSearch:
    """Runs a search whose trainings end at once.

    Attributes:
        search: What is searched.
        folder: The sweep's.
        curve: What a training measures.
        fails: Labels of trainings that end with an error.
        more: What results.json says beside the metric, from what is varied.
        started: Labels of the trainings that were started, in order.
        points: The points that were tried, by their overrides.
    """

    search: Search
    folder: Path
    curve: Curve
    fails: set[str] = field(default_factory=set)
    more: Callable[[Mapping[str, str]], Mapping[str, object]] = lambda swept: {}
    started: list[str] = field(default_factory=list)
    points: list[dict[str, str]] = field(default_factory=list)

    def run(self, most: int | None = None, *, killed: bool = False) -> SearchJobs:
        """Try points until none is left, or so many trainings were started.

        Args:
            most: How many are started.
            killed: Whether the last of them is killed before it measures anything.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        study = SearchStudy.open(self.folder, self.search)
        source = SearchJobs(
            self.search, study, Trainings(self.search, self.folder, composed, seed=42)
        )
        while (most is None or len(self.started) < most) and (found := source.next_job()):
            job, _ = found
            self.started.append(job.label)
            self.points.append(dict(job.swept))
            if killed and len(self.started) == most:
                break
            outcome = self.trained(job, source)
            source.ended(job, outcome)
        return source

    def trained(self, job: SweepJob, source: SearchJobs) -> Outcome:
        """What becomes of a training that is measured at each step of its curve."""
        (job.directory / "model").mkdir(parents=True, exist_ok=True)
        if job.label in self.fails:
            return Outcome("failed", 1.0, 1)
        curve = self.curve(job.swept)
        last = max(curve)
        for step, rate in curve.items():
            score = {"step": step, "steps": last, "metric": "wer", "value": rate}
            with (job.directory / EVALUATIONS_FILE).open("a") as file:
                file.write(json.dumps(score) + "\n")
            if source.is_to_stop(job):
                write_job(job.directory, {"status": "pruned", "seconds": 1.0})
                return Outcome("pruned", 1.0, 130)
        (job.directory / "evaluation").mkdir(exist_ok=True)
        results = {"wer": curve[last], "wer_low": 0.0, "wer_high": 1.0, **self.more(job.swept)}
        (job.directory / "evaluation" / "results.json").write_text(
            json.dumps({"evaluations": {"validation": results}})
        )
        write_job(job.directory, {"status": "done", "seconds": 1.0})
        return Outcome("done", 1.0, 0)

    def trials(self) -> list:
        """What is written of the trials."""
        return SearchStudy.open(self.folder, self.search).trials()
