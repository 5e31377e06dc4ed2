"""Histograms: every value is in one bin or said to be above."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mynah.inspection.histogram import histogram


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e5), min_size=1, max_size=300))
def test_every_value_is_in_the_bin_whose_edges_hold_it(values):
    found = histogram(np.array(values))
    assert sum(found.counts) + found.beyond == len(values)
    slack = 1e-6 * max(max(values), 1.0)
    for at, count in enumerate(found.counts):
        low, high = found.edges(at)
        inside = sum(low + slack <= value < high - slack for value in values)
        near = sum(low - slack <= value < high + slack for value in values)
        assert inside <= count <= near
    assert found.median == pytest.approx(np.median(values))


@pytest.mark.parametrize(("largest", "width"), [(30.0, 1.0), (17.3, 0.5), (0.9, 0.02)])
def test_edges_are_round(largest, width):
    found = histogram(np.linspace(0, largest, 50))
    assert found.low == 0.0
    assert found.width == pytest.approx(width)


def test_a_few_enormous_values_do_not_flatten_the_others():
    values = np.concatenate([np.linspace(1, 9.9, 5000), [10_000.0]])
    found = histogram(values)
    assert found.high < 20
    assert found.beyond == 1


def test_levels_begin_at_the_lowest_and_may_be_negative():
    found = histogram(np.array([-40.2, -30.0, -20.0]), from_zero=False)
    assert -42 < found.low <= -40.2
    assert found.high > -20.0


def test_no_numbers_are_left_out_and_nothing_is_binned_of_nothing():
    assert sum(histogram(np.array([1.0, math.nan, 2.0])).counts) == 2
    assert histogram(np.array([math.nan])) is None
