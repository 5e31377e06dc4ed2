"""Robust deviations: outliers do not hide themselves."""

from __future__ import annotations

import numpy as np

from mynah.inspection.robust import robust_z, robust_z_within


def test_normal_values_have_their_ordinary_z_scores():
    values = np.random.default_rng(0).normal(5.0, 2.0, size=20_000)
    assert np.allclose(robust_z(values), (values - 5.0) / 2.0, atol=0.12)


def test_a_fifth_of_outliers_does_not_hide_them():
    draw = np.random.default_rng(1)
    values = np.concatenate([draw.normal(0, 1, 400), np.full(100, 50.0)])
    assert (robust_z(values)[400:] > 10).all()
    plain = (values - values.mean()) / values.std()
    assert (plain[400:] < 3).all()  # what an ordinary z-score makes of them


def test_each_side_has_a_scale_of_its_own():
    draw = np.random.default_rng(2)
    values = np.concatenate([-10 * np.abs(draw.normal(size=500)), np.abs(draw.normal(size=500))])
    scores = robust_z(values)
    assert scores[np.argmin(np.abs(values - 6))] > 5 * -scores[np.argmin(np.abs(values + 6))]


def test_few_values_or_equal_ones_say_nothing_of_what_is_usual():
    assert not robust_z(np.array([1.0, 2.0, 1000.0])).any()
    assert not robust_z(np.ones(100)).any()


def test_a_group_is_measured_by_itself_and_what_is_not_a_number_is_left_out():
    draw = np.random.default_rng(3)
    values = np.concatenate([draw.normal(10, 1, 100), draw.normal(30, 1, 100), [np.nan, 10.0]])
    groups = np.repeat([0, 1, 1], [100, 100, 2])
    scores = robust_z_within(values, groups)
    assert np.abs(scores[:200]).max() < 6
    assert scores[200] == 0.0
    assert scores[201] < -10  # usual in the one group, not in its own
