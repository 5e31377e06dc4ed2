"""A search from its points to its page: what is tried, what is missing, and what was found."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from mynah import console
from mynah.config.schema import Config
from mynah.files import display_path
from mynah.sweeps.jobs import SweepJob, job_name
from mynah.sweeps.processes import Starter, run_jobs
from mynah.sweeps.search.page import write_page
from mynah.sweeps.search.plan import Search
from mynah.sweeps.search.source import SearchJobs, settled
from mynah.sweeps.search.space import Point
from mynah.sweeps.search.study import SearchStudy, Trial
from mynah.sweeps.sweep import SweepResult, conclude, hold, log_to, resumed
from mynah.sweeps.table import TableRow, jobs_best_first

_SEED = "training.seed"


@dataclasses.dataclass(frozen=True)
class Trainings:
    """Makes the trainings of a search's points.

    Attributes:
        search: What is searched.
        directory: The sweep's, where each has its own.
        compose: The checked settings of overrides.
        seed: Of a point's first training; those after it have the numbers that follow.
    """

    search: Search
    directory: Path
    compose: Callable[[Sequence[str]], Config]
    seed: int

    def __call__(self, number: int, point: Point) -> list[SweepJob]:
        """The trainings of a trial.

        Raises:
            UserError: Its settings contradict each other.
        """
        jobs = []
        for place, (overrides, swept) in enumerate(self._typed(point)):
            settings = dataclasses.asdict(self.compose(overrides))
            directory = self.directory / job_name(swept, settings)
            jobs.append(
                SweepJob(self._number(number, place), overrides, swept, settings, directory)
            )
        return jobs

    def again(self, trial: Trial) -> list[SweepJob]:
        """The trainings of a trial that has ended, which are not run again."""
        point = {name: trial.point[name] for name in self.search.space.dimensions}
        return [
            SweepJob(self._number(trial.number, place), overrides, swept, {}, self.directory / name)
            for place, ((overrides, swept), name) in enumerate(
                zip(self._typed(point), trial.jobs, strict=False)
            )
        ]

    def _number(self, trial: int, place: int) -> int:
        return trial * self.search.settings.seeds + place

    def _typed(self, point: Point) -> list[tuple[tuple[str, ...], dict[str, str]]]:
        """The overrides of each training, and those that set it apart, by key."""
        own = self.search.space.overrides(point)
        fixed = self.search.fixed
        seeds = self.search.settings.seeds
        if seeds == 1:
            return [((*fixed, *own), _by_key(own))]
        fixed = tuple(text for text in fixed if text.lstrip("+").partition("=")[0] != _SEED)
        all_own = [[*own, f"{_SEED}={self.seed + place}"] for place in range(seeds)]
        return [((*fixed, *one), _by_key(one)) for one in all_own]


def run_search(
    search: Search,
    compose: Callable[[Sequence[str]], Config],
    command: Callable[[SweepJob, list[str]], list[str]],
    sweep_directory: Path,
    *,
    seed: int,
    working_directory: Path,
    at_once: int = 1,
    devices: Sequence[str] | None = None,
    start: Starter | None = None,
    check: Callable[[], None] = lambda: None,
) -> SweepResult:
    """Try points until there are as many as asked for, then print, write and draw what was found.

    Args:
        search: What is searched.
        compose: The checked settings of overrides.
        command: The command line of a training, given overrides to add to its own.
        sweep_directory: Gets the trials, the table and the page.
        seed: ``training.seed``.
        working_directory: Where the command was typed; ``outputs/model`` below it is pointed to
            the best point's model.
        at_once: How many trainings run at the same time.
        devices: See :func:`mynah.sweeps.processes.run_jobs`.
        start: See there.
        check: Looks, where anything is left to try, at what all trainings share.

    Raises:
        UserError: The same search is running right now, the folder holds another one, or a
            training, or all, cannot be started.
    """
    with hold(sweep_directory) as lock, log_to(sweep_directory / "sweep.log"):
        study = SearchStudy.open(sweep_directory, search, at_once=at_once)
        trainings = Trainings(search, sweep_directory, compose, seed)
        before = study.trials()
        if len(before) < search.trials or any(one.state == "open" for one in before):
            check()
        jobs, outcomes = settled(before, search, trainings.again)
        _say_what_is_searched(search, before, sweep_directory)
        source = SearchJobs(search, study, trainings)
        all_run = run_jobs(
            source, lambda job: command(job, resumed(job)), at_once=at_once, devices=devices,
            hold=lock, start=start,
        )  # fmt: skip
        all_jobs = sorted([*jobs, *source.jobs], key=lambda job: job.number)
        rows = jobs_best_first(all_jobs, outcomes | source.outcomes)
        result = SweepResult(rows, not all_run)
        if not rows:
            console.say("No point of this search could be trained.")
            return result
        trials = study.trials()
        best = _best(search, trials, rows)
        conclude(result, sweep_directory, working_directory, any_new=bool(source.jobs), best=best)
        _say_what_was_found(search, study, trials)
        page = write_page(sweep_directory, search, study, rows)
        console.say(f"Page:  {display_path(page)}")
        return result


def _by_key(overrides: Sequence[str]) -> dict[str, str]:
    pairs = (text.partition("=") for text in overrides)
    return {key.lstrip("+"): value for key, _, value in pairs}


def _say_what_is_searched(search: Search, before: Sequence[Trial], directory: Path) -> None:
    ended = sum(one.state != "open" for one in before)
    again = f", {ended} of them tried before and not again" if ended else ""
    console.say(f"Search of {search.trials} points in {display_path(directory)}{again}")
    for dimension in search.space.dimensions.values():
        console.say(f"  {dimension.name}: {dimension}")


def _best(search: Search, trials: Sequence[Trial], rows: Sequence[TableRow]) -> TableRow | None:
    """The best training of the best point; of several objectives by the first."""
    done = [one for one in trials if one.state == "done"]
    if not done:
        return None
    sign = -1.0 if search.objectives[0].greater_is_better else 1.0
    best = min(done, key=lambda one: (sign * one.values[0], one.number))
    seeds = search.settings.seeds
    of_it = [row for row in rows if row.job.number // seeds == best.number]
    return of_it[0] if of_it else None


def _say_what_was_found(search: Search, study: SearchStudy, trials: Sequence[Trial]) -> None:
    states = [one.state for one in trials]
    parts = [f"{states.count('done')} trained to the end"]
    if states.count("pruned"):
        parts.append(f"{states.count('pruned')} pruned")
    if states.count("failed"):
        parts.append(f"{states.count('failed')} without a figure")
    if states.count("open"):
        parts.append(f"{states.count('open')} open")
    if len(search.objectives) > 1 and "done" in states:
        parts.append(f"{len(study.front())} on the Pareto front")
    console.say(f"Points: {', '.join(parts)}")
