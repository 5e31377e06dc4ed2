"""The trials of a search, which Optuna keeps in the sweep's folder, and what it proposes next.

What a trial is proposed depends on the seed, its number and the trials before it alone: a search
that is killed and resumed proposes what an untouched one does. A trial is open until its trainings
have ended well or were pruned, so that one in flight at a kill, or failed, is put back.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mynah.errors import UserError
from mynah.sweeps.search.plan import Search, changed
from mynah.sweeps.search.space import Choices, Dimension, Point
from mynah.sweeps.search.storage import FILES, open_storage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

STUDY = "search"
_DEFINITION, _JOBS, _PRUNED, _REFUSED = "definition", "jobs", "pruned_at", "refused"
_RANDOM = 10  # trials before the results so far count
_AGAIN = 20  # proposals of points that were tried already, before an untried one is taken
_MOST_LEFT = 100_000  # points among which that one is
_TOP = 5  # trials, at least, that are compared with all for a setting's importance
_FEWEST = 6  # trials for that

State = Literal["open", "done", "pruned", "failed"]


@dataclass(frozen=True)
class Trial:
    """A point that was proposed, and what is known of it.

    Attributes:
        number: From 0.
        point: What is tried.
        state: ``open``: its trainings have not all come to an end; ``failed``: never will.
        values: Of the objectives, the mean over its trainings; of a pruned one the last figure.
        reports: The first training's evaluations, by step.
        pruned_at: The step at which it was pruned; None: it was not.
        jobs: The names of its trainings' folders.
        refused: Why its settings cannot be trained; None: they can.
    """

    number: int
    point: Point
    state: State
    values: tuple[float, ...]
    reports: Mapping[int, float]
    pruned_at: int | None
    jobs: tuple[str, ...]
    refused: str | None


class SearchStudy:
    """The trials of one search; what notes something of them raises UserError where it cannot.

    Args:
        search: What is searched.
        study: Optuna's.
        storage: Where it keeps the trials.
        path: Its file.
        at_once: Trainings at the same time.
    """

    def __init__(
        self, search: Search, study: Study, storage: BaseStorage, path: Path, *, at_once: int = 1
    ) -> None:
        self._search = search
        self._path = path
        self._study = study
        self._storage = storage
        self._parallel = at_once > 1
        self._distributions = {
            name: _distribution(one) for name, one in search.space.dimensions.items()
        }

    @classmethod
    def open(cls, directory: Path, search: Search, *, at_once: int = 1) -> SearchStudy:
        """The trials so far, or none yet.

        Args:
            directory: The sweep's, which nobody else writes to now.
            search: What is searched.
            at_once: Trainings at the same time.

        Raises:
            UserError: The folder holds the trials of another search, or they cannot be read.
        """
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        path = directory / FILES[search.settings.storage]
        directions: list[Literal["minimize", "maximize"]] = [
            "maximize" if one.greater_is_better else "minimize" for one in search.objectives
        ]
        try:
            with _quiet():
                storage = open_storage(path)
                study = optuna.create_study(
                    storage=storage, study_name=STUDY, directions=directions, load_if_exists=True
                )
                before = study.user_attrs.get(_DEFINITION)
        except Exception as problem:  # of the file's format, the database or the disk
            raise UserError(
                f"The trials of this search cannot be read: {_first_line(problem)}.",
                where=str(path),
                fix="remove the file (trainings that are done are not run again), or write "
                "elsewhere with hydra.sweep.dir=FOLDER",
            ) from problem
        now = json.loads(json.dumps(search.definition()))
        if before is None:
            study.set_user_attr(_DEFINITION, now)
        elif before != now:
            other = "; ".join(changed(before, now))
            raise UserError(
                f"This folder holds the trials of another search: {other}.",
                where=str(path),
                fix="write elsewhere with hydra.sweep.dir=FOLDER, or type that search again",
            )
        return cls(search, study, storage, path, at_once=at_once)

    def trials(self) -> list[Trial]:
        """All of them, by their numbers."""
        return [_trial(one) for one in self._study.get_trials(deepcopy=False)]

    def propose(self) -> Point | None:
        """The point of the next trial; None: all of them were tried."""
        trials = self.trials()
        tried = {_key(one.point) for one in trials}
        if self._search.is_exhaustive:
            return next(
                (one for one in self._search.space.points() if _key(one) not in tried), None
            )
        number = len(trials)
        for attempt in range(_AGAIN):
            point = self._sampled(number, attempt)
            if _key(point) not in tried:
                return point
        if math.isinf(self._search.space.size):
            return point
        untried = (one for one in self._search.space.points() if _key(one) not in tried)
        left = list(itertools.islice(untried, _MOST_LEFT))
        return left[self._seed(number, _AGAIN) % len(left)] if left else None

    def begin(self, point: Point, jobs: Sequence[str]) -> None:
        """Note a trial before any of its trainings starts.

        Args:
            point: What is tried.
            jobs: The names of its trainings' folders.
        """
        self._add(point, {_JOBS: list(jobs)})

    def refuse(self, point: Point, why: str) -> None:
        """Note a point whose settings contradict each other: none is trained with them."""
        number = self._add(point, {_REFUSED: why, _JOBS: []})
        self.fail(number)

    def report(self, number: int, step: int, value: float) -> None:
        """Note an evaluation of a trial's first training."""
        with self._writing():
            self._storage.set_trial_intermediate_value(self._id(number), step, value)

    def is_behind(self, number: int) -> bool:
        """Whether a trial is not among the best at its last evaluation, by successive halving.

        To be asked once after each evaluation, the last one too: others are compared with it.
        """
        from optuna.pruners import SuccessiveHalvingPruner

        trial = self._storage.get_trial(self._id(number))
        how = self._search.settings
        first = how.min_steps or self._first_step()
        if trial.last_step is None or first is None:
            return False
        pruner = SuccessiveHalvingPruner(min_resource=first, reduction_factor=how.reduction_factor)
        with self._writing():
            return bool(pruner.prune(self._study, trial))

    def stop(self, number: int, step: int) -> None:
        """Note that a trial is stopped at a step, before its training is."""
        with self._writing():
            self._storage.set_trial_user_attr(self._id(number), _PRUNED, step)

    def finish(self, number: int, values: Sequence[float]) -> None:
        """Note what a trial came to.

        Args:
            number: The trial's.
            values: Of each objective; none of them NaN.
        """
        from optuna.trial import TrialState

        with self._writing():
            self._study.tell(number, list(values), state=TrialState.COMPLETE)

    def prune(self, number: int) -> None:
        """Note that a trial was stopped."""
        from optuna.trial import TrialState

        with self._writing():
            self._study.tell(number, state=TrialState.PRUNED)

    def fail(self, number: int) -> None:
        """Note that a trial has no figure, and never will."""
        from optuna.trial import TrialState

        with self._writing():
            self._study.tell(number, state=TrialState.FAIL)

    def front(self) -> set[int]:
        """The numbers of the trials that no other one surpasses in every objective."""
        return {one.number for one in self._study.best_trials}

    def importances(self, objective: int) -> dict[str, float]:
        """How much each setting decides whether a trial is among the best, by PED-ANOVA.

        Watanabe et al. 2023 (arXiv 2304.10255): of each setting, how far the distribution of the
        best trials' values is from that of all trials.

        Args:
            objective: Its place.

        Returns:
            Shares that sum to 1, the largest first; empty where there are too few trials.
        """
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

        done = [one for one in self.trials() if one.state == "done"]
        varied = [name for name in self._distributions if len({o.point[name] for o in done}) > 1]
        if len(done) < _FEWEST or not varied:
            return {}
        sign = -1.0 if self._search.objectives[objective].greater_is_better else 1.0
        with _quiet():
            found = get_param_importances(
                self._study,
                evaluator=PedAnovaImportanceEvaluator(
                    target_quantile=min(max(0.1, _TOP / len(done)), 0.5)
                ),
                params=varied,
                target=lambda trial: sign * float((trial.values or [math.nan])[objective]),
            )
        return {name: share for name, share in found.items() if not math.isnan(share)}

    def _add(self, point: Point, attributes: dict[str, Any]) -> int:
        from optuna.trial import TrialState, create_trial

        number = len(self._study.get_trials(deepcopy=False))
        trial = create_trial(
            state=TrialState.RUNNING,
            params=dict(point),
            distributions=self._distributions,
            user_attrs=attributes,
        )
        with self._writing():
            self._study.add_trial(trial)
        return number

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A full disk ends the search in order: the trainings save first."""
        from optuna.exceptions import StorageInternalError

        try:
            yield
        except (OSError, StorageInternalError) as problem:
            raise UserError(
                f"The trials of this search cannot be written: {_first_line(problem)}.",
                where=str(self._path),
                fix="free space there, and give the same command again",
            ) from problem

    def _id(self, number: int) -> int:
        return int(self._study.get_trials(deepcopy=False)[number]._trial_id)

    def _first_step(self) -> int | None:
        """The step of the first evaluation that any trial had."""
        for trial in self._study.get_trials(deepcopy=False):
            if trial.intermediate_values:
                return min(trial.intermediate_values)
        return None

    def _sampled(self, number: int, attempt: int) -> Point:
        """A proposal: a function of the seed, the numbers and the trials that have ended."""
        from optuna.trial import TrialState, create_trial

        trial = create_trial(state=TrialState.WAITING)
        trial.number = number
        found = {}
        for name, dimension in self._search.space.dimensions.items():
            with _quiet():
                value = self._sampler(self._seed(number, attempt, name)).sample_independent(
                    self._study, trial, name, self._distributions[name]
                )
            found[name] = dimension.rounded(value)
        return found

    def _sampler(self, seed: int) -> BaseSampler:
        from optuna.samplers import RandomSampler, TPESampler

        if self._search.settings.sampler == "random":
            return RandomSampler(seed=seed)
        return TPESampler(
            seed=seed,
            n_startup_trials=_RANDOM,
            multivariate=False,
            constant_liar=self._parallel,  # keeps away from what others are trying now
        )

    def _seed(self, *parts: int | str) -> int:
        text = "/".join(str(part) for part in (self._search.settings.seed, *parts))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def _distribution(dimension: Dimension) -> BaseDistribution:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if isinstance(dimension, Choices):
        return CategoricalDistribution(dimension.values)
    if dimension.integer:
        return IntDistribution(
            round(dimension.low),
            round(dimension.high),
            log=dimension.log,
            step=round(dimension.step or 1),
        )
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log, step=dimension.step)


def _trial(found: FrozenTrial) -> Trial:
    from optuna.trial import TrialState

    states: dict[TrialState, State] = {
        TrialState.COMPLETE: "done",
        TrialState.PRUNED: "pruned",
        TrialState.FAIL: "failed",
    }
    attributes = found.user_attrs
    return Trial(
        number=found.number,
        point=dict(found.params),
        state=states.get(found.state, "open"),
        values=tuple(found.values or ()),
        reports=dict(found.intermediate_values),
        pruned_at=attributes.get(_PRUNED),
        jobs=tuple(attributes.get(_JOBS, ())),
        refused=attributes.get(_REFUSED),
    )


def _key(point: Point) -> str:
    return json.dumps(dict(point), sort_keys=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna's notes on what may change in its later versions are for us."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _first_line(problem: Exception) -> str:
    return (str(problem).splitlines() or [type(problem).__name__])[0].rstrip(".")
