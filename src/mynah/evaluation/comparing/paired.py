"""Two models on the same utterances: the difference, and whether it may be chance.

What two models get wrong in the same utterances goes up and down together, so a difference is
known far better than either rate: everything here is paired.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mynah.evaluation.intervals.bootstrap import bootstrap
from mynah.evaluation.intervals.interval import FEWEST_SPEAKERS, Interval
from mynah.evaluation.intervals.jackknife import jackknife_error, jackknife_t
from mynah.evaluation.intervals.speakers import PERCENTILES_FROM, sums_by_speaker
from mynah.evaluation.intervals.student import probability_within
from mynah.evaluation.metrics.metric import Metric, Vector
from mynah.evaluation.score import UtteranceScore

_PERMUTATIONS = 9_999
_MOST_ENUMERATED = 13  # pairs that differ: 2 ** 13 exchanges are no more than are sampled
_SWAPPED_AT_ONCE = 4_000_000  # exchanges in memory together, 32 MB
_ROUNDING = 1e-12  # two differences of rates that are closer are the same one


@dataclass(frozen=True)
class Difference:
    """One metric of two models on the same utterances.

    Attributes:
        metric: Which.
        before: The first model's value.
        after: The second model's.
        interval: The paired 95 % interval of ``after - before``.
        p_value: The probability of a difference at least as large where the models are alike;
            NaN where it cannot be said.
        test: How it was found, as ``"paired permutation test over 120 utterances"``.
    """

    metric: Metric
    before: float
    after: float
    interval: Interval
    p_value: float
    test: str

    @property
    def value(self) -> float:
        """What the metric grew by, from the first model to the second."""
        return self.after - self.before

    @property
    def better(self) -> bool:
        """Whether the second model is the better one."""
        return self.value > 0 if self.metric.greater_is_better else self.value < 0


@dataclass(frozen=True)
class Comparison:
    """Two models on the same utterances.

    Attributes:
        differences: By the metric's name, the first to be shown first.
        utterances: How many there are.
        won: Utterances with fewer errors by the second model.
        lost: Utterances with more.
    """

    differences: Mapping[str, Difference]
    utterances: int
    won: int
    lost: int

    @property
    def first(self) -> Difference:
        """The metric that is shown first."""
        return next(iter(self.differences.values()))


def compare(
    before: Sequence[UtteranceScore],
    after: Sequence[UtteranceScore],
    metrics: Sequence[Metric],
    *,
    samples: int,
    seed: int,
) -> Comparison:
    """Compare two models utterance by utterance.

    Args:
        before: The first model's utterances.
        after: The second model's, the same ones in the same order.
        metrics: What is compared, of which both have the statistics.
        samples: Resamples for the bootstrap; 0: no intervals and no p-values.
        seed: Seed of resamples and exchanges.

    Raises:
        ValueError: They are not the same utterances, or none.
    """
    said = [(row.id, row.reference) for row in before]
    if not said or said != [(row.id, row.reference) for row in after]:
        raise ValueError("Only measurements of the same utterances can be compared")
    speakers = [row.speaker for row in before]
    differences = {
        metric.name: difference_of(
            metric,
            np.stack([row.statistics[metric.name] for row in before]),
            np.stack([row.statistics[metric.name] for row in after]),
            speakers,
            samples=samples,
            seed=seed,
        )
        for metric in metrics
    }
    pairs = list(zip(before, after, strict=True))
    return Comparison(
        differences,
        len(pairs),
        won=sum(new.errors < old.errors for old, new in pairs),
        lost=sum(new.errors > old.errors for old, new in pairs),
    )


def difference_of(
    metric: Metric,
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    speakers: Sequence[str],
    *,
    samples: int,
    seed: int,
) -> Difference:
    """The difference of one metric, with its paired interval and p-value.

    Where there are two speakers or more, both are over speakers: below 30 of them a jackknife-t
    with its own test, from 30 on a percentile bootstrap and a permutation test; where there is
    one, or none is known, the latter two over utterances. Noreen 1989, "Computer-intensive
    methods for testing hypotheses", for the permutation test: under the hypothesis that the
    models are alike, each pair's two results may as well be exchanged.

    Args:
        metric: The metric.
        before: The first model's statistics, float64 [utterances, k].
        after: The second model's, float64 [utterances, k].
        speakers: Who speaks in each utterance, "" where that is not known.
        samples: Resamples for the bootstrap; 0: no interval and no p-value.
        seed: Seed of resamples and exchanges.
    """
    gain = PairedGain(metric)
    paired = np.concatenate([before, after], axis=1)
    by_speaker = sums_by_speaker(paired, speakers)
    of_speakers = len(by_speaker) >= 2
    groups = by_speaker if of_speakers else paired
    count, what = len(groups), "speakers" if of_speakers else "utterances"
    low = high = p_value = math.nan
    if of_speakers and count < PERCENTILES_FROM:
        method = test = f"paired jackknife-t over {count} {what}"
        if samples > 0:
            (low, high), p_value = jackknife_t(gain, groups), _jackknife_test(gain, groups)
    else:
        method = f"paired percentile bootstrap over {count} {what}"
        test = f"paired permutation test over {count} {what}"
        if samples > 0:
            low, high = bootstrap([(gain, groups)], samples=samples, seed=seed)[0]
            p_value = _permutation_test(gain, groups, seed)
    informative = not of_speakers or count >= FEWEST_SPEAKERS
    return Difference(
        metric,
        metric.value(before.sum(axis=0)),
        metric.value(after.sum(axis=0)),
        Interval(low, high, method, count, informative),
        p_value,
        test,
    )


class PairedGain(Metric):
    """What a metric grows by from the first half of a vector to the second."""

    lowest = -math.inf

    def __init__(self, metric: Metric) -> None:
        super().__init__()
        self._metric = metric

    def statistics(self, reference: str, hypothesis: str) -> Vector:
        raise NotImplementedError("a difference is of two hypotheses")

    def value(self, total: Vector) -> float:
        return float(self.values(total[None])[0])

    def values(self, totals: NDArray[np.float64]) -> Vector:
        half = totals.shape[1] // 2
        return self._metric.values(totals[:, half:]) - self._metric.values(totals[:, :half])


def _jackknife_test(gain: PairedGain, groups: NDArray[np.float64]) -> float:
    """The two-sided p-value of the difference over its jackknife standard error."""
    value, error = jackknife_error(gain, groups)
    if math.isnan(error):
        return math.nan
    if error == 0:  # every speaker gains the same: one exchange of all speakers' in so many
        return 1.0 if value == 0 else 2.0 ** (1 - len(groups))
    return max(0.0, 1 - probability_within(abs(value) / error, len(groups) - 1))


def _permutation_test(gain: PairedGain, groups: NDArray[np.float64], seed: int) -> float:
    """The two-sided p-value of a paired permutation test over groups, float64 [groups, 2 k].

    All exchanges are tried where few pairs differ, else a sample, to which the one that was
    observed belongs.
    """
    half = groups.shape[1] // 2
    total = groups.sum(axis=0)
    observed = gain.value(total)
    if math.isnan(observed):
        return math.nan
    change = groups[:, half:] - groups[:, :half]
    change = change[change.any(axis=1)]  # the others are the same exchanged
    extreme = tried = 0
    for swapped in _exchanges(len(change), seed):
        moved = swapped @ change
        values = gain.values(total + np.concatenate([moved, -moved], axis=1))
        extreme += int((np.abs(values) >= abs(observed) - _ROUNDING).sum())
        tried += len(values)
    if len(change) <= _MOST_ENUMERATED:
        return extreme / tried
    return (extreme + 1) / (tried + 1)


def _exchanges(pairs: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Which pairs are exchanged, 1 where they are: float64 [some, pairs], in parts."""
    if pairs <= _MOST_ENUMERATED:
        numbers = np.arange(2**pairs)[:, None]
        yield ((numbers >> np.arange(pairs)) & 1).astype(np.float64)
        return
    generator = np.random.default_rng(seed)
    at_once = max(1, _SWAPPED_AT_ONCE // pairs)
    for start in range(0, _PERMUTATIONS, at_once):
        size = (min(at_once, _PERMUTATIONS - start), pairs)
        yield generator.integers(0, 2, size=size).astype(np.float64)
