"""A run that others are compared with, utterance by utterance where theirs are kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mynah.config.plugins.metrics import LOSS
from mynah.errors import UserError
from mynah.evaluation.comparing.paired import Difference, compare
from mynah.evaluation.comparing.reading import read_system
from mynah.evaluation.comparing.system import System, on_the_same
from mynah.evaluation.metrics.choice import Choice
from mynah.evaluation.score import UtteranceScore, score
from mynah.runs.listing import ListedRun, read_run
from mynah.runs.rates import Rate, RateChange

_DEFAULT_NORMALIZER = "basic"
_SAMPLES, _SEED = 1000, 0


class BaselineRun:
    """What other runs' rates are compared with.

    Args:
        directory: The run's directory.

    Raises:
        UserError: It was not measured.
    """

    def __init__(self, directory: Path) -> None:
        self._run = read_run(directory)
        if not self._run.rates:
            raise UserError(
                f"{directory} was not measured.",
                where=f"--baseline {directory}",
                fix="name a run's directory that has evaluation/results.json",
            )
        self._known: dict[tuple[str, str], _Scored | None] = {}

    def is_run(self, run: ListedRun) -> bool:
        """Whether a run is this one."""
        return run.directory.resolve() == self._run.directory.resolve()

    def change(self, run: ListedRun, rate: Rate) -> RateChange | None:
        """What a rate of a run is more than this run's; None where they are not of the same
        utterances and metric.

        Both runs' texts are scored again with today's version of this run's normaliser. Where
        they are not kept, or the metric takes more than texts, the change is not paired.
        """
        mine = self._run.rate(rate.split)
        value = rate.change_from(mine)
        if math.isnan(value):
            return None
        found = self._difference(run, rate)
        if found is None:
            return RateChange(value, paired=False)
        interval = found.interval
        ends = (interval.low, interval.high) if interval.can_be_shown else (math.nan, math.nan)
        return RateChange(found.value, *ends, p_value=found.p_value)

    def _difference(self, run: ListedRun, rate: Rate) -> Difference | None:
        if rate.metric == LOSS or rate.metric in (run.settings.get("evaluation.options") or {}):
            return None
        mine, its = self._scored(rate), _texts(run.directory, rate.split)
        if mine is None or its is None:
            return None
        (metric,) = Choice((rate.metric,)).metrics([])
        try:
            _, its = on_the_same([mine.system, its], mine.normalizer)
            after = _rows(its, mine.normalizer, rate.metric)
            return compare(mine.rows, after, [metric], samples=_SAMPLES, seed=_SEED).first
        except (UserError, ValueError):  # of other utterances all the same
            return None

    def _scored(self, rate: Rate) -> _Scored | None:
        """This run's utterances, which are the same for every other run."""
        key = rate.split, rate.metric
        if key not in self._known:
            system = _texts(self._run.directory, rate.split)
            self._known[key] = None
            if system is not None:
                normalizer = system.normalizer or _DEFAULT_NORMALIZER
                rows = _rows(system, normalizer, rate.metric)
                self._known[key] = _Scored(system, normalizer, rows)
        return self._known[key]


@dataclass(frozen=True)
class _Scored:
    system: System
    normalizer: str
    rows: Sequence[UtteranceScore]


def _texts(directory: Path, split: str) -> System | None:
    """What a run recognized in a split; None where that is not kept or cannot be read."""
    try:
        return read_system(str(directory), Path.cwd(), split=split)
    except UserError:
        return None


def _rows(system: System, normalizer: str, metric: str) -> Sequence[UtteranceScore]:
    return score(
        system.hypotheses, normalizer=normalizer, bootstrap_samples=0, bootstrap_seed=_SEED,
        choice=Choice((metric,)),
    ).per_utterance  # fmt: skip
