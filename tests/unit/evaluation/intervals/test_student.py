"""Quantiles of Student's t, against scipy."""

from __future__ import annotations

import pytest
from scipy import stats

from mynah.evaluation.intervals.student import probability_within, two_sided_quantile


@pytest.mark.parametrize("degrees", [*range(1, 31), 100, 999])
def test_quantiles_are_scipy_s(degrees):
    for confidence in (0.5, 0.9, 0.95, 0.99):
        theirs = stats.t.ppf((1 + confidence) / 2, degrees)
        assert two_sided_quantile(confidence, degrees) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0, 4.5])
def test_probabilities_are_scipy_s(t):
    for degrees in (1, 2, 3, 10, 29):
        theirs = 1 - 2 * stats.t.sf(t, degrees)
        assert probability_within(t, degrees) == pytest.approx(theirs, abs=1e-12)
