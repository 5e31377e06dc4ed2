"""Intervals over speakers: what other speakers would have given.

Utterances of one speaker are wrong together. An interval over utterances takes them for
independent, and is too narrow by far once speakers differ.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mynah.evaluation.intervals.bootstrap import bootstrap
from mynah.evaluation.intervals.interval import FEWEST_SPEAKERS, Interval
from mynah.evaluation.intervals.jackknife import jackknife_t
from mynah.evaluation.metrics.metric import Metric

PERCENTILES_FROM = 30  # speakers; a bootstrap over fewer is too narrow


def speaker_intervals(
    measured: Sequence[tuple[Metric, NDArray[np.float64]]],
    speakers: Sequence[str],
    *,
    samples: int,
    seed: int,
) -> list[Interval] | None:
    """The interval of each metric over speakers; None where there are not two to compare.

    Below 30 speakers it is a jackknife-t, from 30 on a percentile bootstrap over speakers.
    Utterances whose speaker is not known count as one more speaker.

    Args:
        measured: Metrics with their statistics, float64 [utterances, k].
        speakers: Who speaks in each utterance, "" where that is not known.
        samples: Resamples of the bootstrap; 0: no interval of either kind.
        seed: Seed of the resamples.
    """
    sums = [(metric, sums_by_speaker(statistics, speakers)) for metric, statistics in measured]
    count = len(sums[0][1]) if sums else 0
    if samples < 1 or count < 2:
        return None
    if count < PERCENTILES_FROM:
        method = f"jackknife-t over {count} speakers"
        ends = [jackknife_t(metric, by_speaker) for metric, by_speaker in sums]
    else:
        method = f"percentile bootstrap over {count} speakers"
        ends = bootstrap(sums, samples=samples, seed=seed)
    return [Interval(low, high, method, count, count >= FEWEST_SPEAKERS) for low, high in ends]


def sums_by_speaker(
    statistics: NDArray[np.float64], speakers: Sequence[str]
) -> NDArray[np.float64]:
    """Sums over the utterances of each speaker, those without one together: [speakers, k]."""
    names, group = np.unique(np.asarray(speakers, dtype=object).astype(str), return_inverse=True)
    columns = [np.bincount(group, weights=column, minlength=len(names)) for column in statistics.T]
    return np.stack(columns, axis=1)
