"""The trainings of a search: what starts next, what is stopped, and what each point came to."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mynah import console
from mynah.errors import UserError
from mynah.runs.directory import log_directory, model_directory_of
from mynah.runs.evaluations import EVALUATIONS_FILE, StepScore, read_evaluations
from mynah.sweeps.jobs import Outcome, SweepJob, is_finished, read_job
from mynah.sweeps.scores import Score, metric_name
from mynah.sweeps.search.objectives import is_number, read_objective
from mynah.sweeps.search.plan import Search
from mynah.sweeps.search.space import Point
from mynah.sweeps.search.study import SearchStudy, Trial

MakeJobs = Callable[[int, Point], list[SweepJob]]
"""The trainings of a trial, one a seed, from its number and point; UserError: none can be."""


@dataclass
class _Attempt:
    """A trial that is open.

    Attributes:
        number: Its own.
        jobs: Its trainings, one a seed.
        reported: Steps whose evaluations the study knows.
        looked: Size of the file of evaluations when it was read last.
        last: The newest evaluation of the first training.
        pruned_at: The step at which it was stopped.
    """

    number: int
    jobs: list[SweepJob]
    reported: set[int] = field(default_factory=set)
    looked: int = -1
    last: StepScore | None = None
    pruned_at: int | None = None


class SearchJobs:
    """Trainings of the points that a study proposes, each proposed when there is room for it.

    Args:
        search: What is searched.
        study: The trials so far.
        make: The trainings of a trial.

    Attributes:
        jobs: All trainings, those of earlier commands too, in the order they came up.
        outcomes: What became of those that were run, by number.
    """

    def __init__(self, search: Search, study: SearchStudy, make: MakeJobs) -> None:
        self._search = search
        self._study = study
        self._make = make
        self._waiting: deque[SweepJob] = deque()
        self._attempts: dict[int, _Attempt] = {}  # by the number of each of their trainings
        trials = study.trials()
        self._put_back = [one for one in trials if one.state == "open"]
        self._tried = len(trials)
        self._released: set[int] = set()  # numbers of trainings
        self.jobs: list[SweepJob] = []
        self.outcomes: dict[int, Outcome] = {}

    # What a sweep asks

    def next_job(self) -> tuple[SweepJob, str] | None:
        """The next training; None: none before another has ended, or none at all."""
        while self._waiting or self._begin():
            if not self._waiting:
                continue
            job = self._waiting.popleft()
            attempt = self._attempts[job.number]
            if is_finished(job):
                seconds = float(read_job(job.directory).get("seconds") or 0.0)
                self.ended(job, Outcome("done before", seconds, 0))
                continue
            return job, self._place(attempt, job)
        return None

    def is_to_stop(self, job: SweepJob) -> bool:
        """Whether a training does badly among those measured at the same step."""
        attempt = self._attempts[job.number]
        if not self._search.halves or job is not attempt.jobs[0]:
            return False
        before = attempt.pruned_at
        self._look(attempt)
        if attempt.pruned_at is not None and before is None:
            assert attempt.last is not None
            figure = _figure(attempt.last)
            shown = f"{figure.metric.label} {figure.shown}"
            console.say(
                f"      {job.label}: {shown} at step {attempt.last.step:,} is not among the best "
                f"1 in {self._search.settings.reduction_factor}: it is stopped"
            )
        return attempt.pruned_at is not None

    def ended(self, job: SweepJob, outcome: Outcome) -> None:
        """Note what became of a training, and what its point came to once all have ended."""
        attempt = self._attempts[job.number]
        self.outcomes[job.number] = outcome
        if self._search.halves and job is attempt.jobs[0]:
            self._look(attempt)
        if outcome.well:
            _measure(job, outcome, self._search)
            self._conclude(attempt)
            return
        numbers = {other.number for other in attempt.jobs}
        self._waiting = deque(other for other in self._waiting if other.number not in numbers)
        if outcome.status == "pruned":
            self._show_pruned(attempt, outcome)
            self._study.prune(attempt.number)
        # What failed or was interrupted stays open: the same command again puts it back.

    # One trial

    def _begin(self) -> bool:
        """Let the trainings of another trial wait; False: there is none now."""
        if self._put_back:
            trial = self._put_back.pop(0)
            attempt = self._attempt(trial.number, self._make(trial.number, self._ordered(trial)))
            attempt.reported = set(trial.reports)
            self._resume(attempt, trial)
            return True
        if self._tried >= self._search.trials:
            return False
        point = self._study.propose()
        if point is None:
            return False
        number = self._tried
        self._tried += 1
        try:
            jobs = self._make(number, point)
        except UserError as problem:
            self._study.refuse(point, problem.what)
            where = " ".join(self._search.space.overrides(point))
            console.notice(f"{where} is left out: {problem.what}")
            return True
        self._study.begin(point, [one.directory.name for one in jobs])
        self._release(self._attempt(number, jobs))
        return True

    def _ordered(self, trial: Trial) -> Point:
        return {name: trial.point[name] for name in self._search.space.dimensions}

    def _attempt(self, number: int, jobs: list[SweepJob]) -> _Attempt:
        attempt = _Attempt(number, jobs)
        self._attempts |= {job.number: attempt for job in jobs}
        return attempt

    def _release(self, attempt: _Attempt) -> None:
        """Let its trainings wait: where halving may stop the first, that one alone."""
        self._let_wait(attempt.jobs[:1] if self._search.halves else attempt.jobs)

    def _let_wait(self, jobs: Sequence[SweepJob]) -> None:
        self._waiting += jobs
        self.jobs += jobs
        self._released |= {job.number for job in jobs}

    def _resume(self, attempt: _Attempt, trial: Trial) -> None:
        """Put a trial back that an earlier command left open, where it is not to be stopped."""
        first = attempt.jobs[0]
        attempt.pruned_at = trial.pruned_at
        if self._search.halves and not is_finished(first):
            self._look(attempt)
            if attempt.pruned_at is not None:
                self.jobs.append(first)
                seconds = float(read_job(first.directory).get("seconds") or 0.0)
                self.ended(first, Outcome("pruned", seconds))
                return
        self._release(attempt)

    def _look(self, attempt: _Attempt) -> None:
        """Report the first training's new evaluations, up to one that it is to be stopped at."""
        logs = log_directory(model_directory_of(attempt.jobs[0].directory))
        try:
            size = (logs / EVALUATIONS_FILE).stat().st_size
        except OSError:
            return
        if size == attempt.looked:
            return
        attempt.looked = size
        for score in read_evaluations(logs):
            if attempt.pruned_at is not None and score.step > attempt.pruned_at:
                return
            attempt.last = score
            if score.step in attempt.reported:
                continue
            attempt.reported.add(score.step)
            self._study.report(attempt.number, score.step, score.value)
            behind = self._study.is_behind(attempt.number)
            if behind and score.step < score.steps and attempt.pruned_at is None:
                attempt.pruned_at = score.step
                self._study.stop(attempt.number, score.step)
                return

    def _conclude(self, attempt: _Attempt) -> None:
        """Note what a point came to, once its last training has ended."""
        left = [job for job in attempt.jobs if job.number not in self.outcomes]
        if left:
            if self._search.halves and left == attempt.jobs[1:]:  # the first was not stopped
                self._let_wait([job for job in left if job.number not in self._released])
            return
        if not all(self.outcomes[job.number].well for job in attempt.jobs):
            return
        values = []
        for objective in self._search.objectives:
            scores = [read_objective(job.directory, objective) for job in attempt.jobs]
            figures = [one.value for one in scores if one is not None and is_number(one)]
            if len(figures) < len(scores):
                label = attempt.jobs[0].label
                console.notice(
                    f"{label} was measured without {objective.shown}: it counts as none."
                )
                self._study.fail(attempt.number)
                return
            values.append(statistics.fmean(figures))
        self._study.finish(attempt.number, values)

    def _show_pruned(self, attempt: _Attempt, outcome: Outcome) -> None:
        outcome.pruned_at = attempt.pruned_at
        if attempt.last is not None:
            outcome.score = _figure(attempt.last)

    def _place(self, attempt: _Attempt, job: SweepJob) -> str:
        seeds = len(attempt.jobs)
        seed = f", seed {attempt.jobs.index(job) + 1}/{seeds}" if seeds > 1 else ""
        return f"[{attempt.number + 1}/{self._search.trials}{seed}]"


def _measure(job: SweepJob, outcome: Outcome, search: Search) -> None:
    """Let a training's figures be those of the objectives."""
    scores = [read_objective(job.directory, one) for one in search.objectives]
    outcome.score = scores[0]
    outcome.others = tuple(one for one in scores[1:] if one is not None)


def _figure(score: StepScore) -> Score:
    return Score.alone(metric_name(score.metric), score.value)


def settled(
    trials: Sequence[Trial], search: Search, make: Callable[[Trial], list[SweepJob]]
) -> tuple[list[SweepJob], dict[int, Outcome]]:
    """The trainings of trials that earlier commands brought to an end.

    Args:
        trials: All trials.
        search: What is searched.
        make: The trainings of one, composed no second time.
    """
    jobs: list[SweepJob] = []
    outcomes: dict[int, Outcome] = {}
    for trial in trials:
        if trial.state == "open" or trial.refused is not None:
            continue
        for position, job in enumerate(make(trial)):
            seconds = float(read_job(job.directory).get("seconds") or 0.0)
            if trial.state == "pruned":
                if position:
                    break
                outcome = Outcome("pruned", seconds, pruned_at=trial.pruned_at)
                logs = log_directory(model_directory_of(job.directory))
                for score in read_evaluations(logs):
                    if score.step == trial.pruned_at:
                        outcome.score = _figure(score)
            else:
                outcome = Outcome("done before", seconds, 0)
                _measure(job, outcome, search)
            jobs.append(job)
            outcomes[job.number] = outcome
    return jobs, outcomes
