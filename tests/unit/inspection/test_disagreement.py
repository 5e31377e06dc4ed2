"""Which rows disagree most with a model."""

from __future__ import annotations

import numpy as np

from mynah.inspection.disagreement import excess_errors


def test_a_long_transcript_that_is_all_wrong_comes_before_a_short_one():
    edits = np.array([5, 60, 2, 1, 0, 3] + [2] * 50)
    lengths = np.array([5, 60, 40, 40, 40, 40] + [40] * 50)
    order = np.argsort(-excess_errors(edits, lengths))
    assert order[:2].tolist() == [1, 0]


def test_the_excess_is_in_standard_deviations_of_a_binomial_count():
    draw = np.random.default_rng(0)
    lengths = draw.integers(20, 200, size=20_000)
    excess = excess_errors(draw.binomial(lengths, 0.1).astype(float), lengths.astype(float))
    assert abs(excess.mean()) < 0.05
    assert abs(excess.std() - 1.0) < 0.05


def test_a_perfect_or_an_empty_set_has_finite_numbers():
    assert np.isfinite(excess_errors(np.zeros(3), np.array([0.0, 10.0, 5.0]))).all()
    assert len(excess_errors(np.zeros(0), np.zeros(0))) == 0
