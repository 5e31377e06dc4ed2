"""Percentile bootstrap: the spread of a metric over resamples of what was measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mynah.evaluation.intervals.interval import CONFIDENCE
from mynah.evaluation.metrics.metric import Metric

_RESAMPLED_AT_ONCE = 4_000_000  # rows sampled into memory together, 32 MB


def bootstrap(
    measured: Sequence[tuple[Metric, NDArray[np.float64]]], *, samples: int, seed: int
) -> list[tuple[float, float]]:
    """95 % percentile intervals of metrics, by resampling rows: utterances, or speakers.

    Bisani and Ney 2004, "Bootstrap estimates for confidence intervals in ASR performance
    evaluation". Each resample takes as many rows as there are, with replacement, and takes the
    metric of their sum; all metrics see the same resamples. A resample in which there is
    nothing to count, or that has no value, is left out.

    Args:
        measured: Metrics with their statistics, float64 [rows, k], the same rows for all.
        samples: Resamples; 0: no interval.
        seed: Seed of the resamples.

    Returns:
        (low, high) of each metric; NaN where there is no interval: no resamples, or fewer than
        two rows, of which nothing can be said.
    """
    rows = len(measured[0][1]) if measured else 0
    if samples < 1 or rows < 2:
        return [(math.nan, math.nan) for _ in measured]
    together = np.concatenate([statistics for _, statistics in measured], axis=1)
    sums = np.concatenate([counts @ together for counts in _counts(rows, samples, seed)])
    tail = (1 - CONFIDENCE) / 2
    intervals = []
    start = 0
    for metric, statistics in measured:
        totals = sums[:, start : start + statistics.shape[1]]
        start += statistics.shape[1]
        values = metric.values(totals[totals.any(axis=1)])
        values = values[~np.isnan(values)]
        low, high = np.quantile(values, [tail, 1 - tail]) if len(values) else (math.nan, math.nan)
        intervals.append((float(low), float(high)))
    return intervals


def _counts(rows: int, samples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each row is in each resample, in parts: float64 [some, rows]."""
    generator = np.random.default_rng(seed)
    at_once = max(1, _RESAMPLED_AT_ONCE // rows)
    for start in range(0, samples, at_once):
        resampled = generator.integers(0, rows, size=(min(at_once, samples - start), rows))
        counts = np.empty(resampled.shape)  # float64, in which sums of whole numbers are exact
        for position, one in enumerate(resampled):
            counts[position] = np.bincount(one, minlength=rows)
        yield counts
