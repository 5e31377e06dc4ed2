"""Plots: what stands where."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from mynah.pages import axes, plots


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (0, 0.087, [0, 0.02, 0.04, 0.06, 0.08, 0.1]),
        (0, 1234, [0, 500, 1000, 1500]),
        (0, 0, [0, 1]),
    ],
)
def test_ticks_are_round_and_span_the_values(low, high, expected):
    assert axes.ticks(low, high) == pytest.approx(expected)


def test_a_curve_rises_where_its_values_rise_and_names_every_point():
    line = plots.Line("training", [(0, 4.0), (50, 2.0), (100, 1.0)])
    sampled = plots.curves([line], y_label="loss", percent=False, description="Loss")
    [points] = re.findall(r'<polyline[^>]*points="([^"]*)"', sampled)
    places = [tuple(map(float, place.split(","))) for place in points.split()]
    xs, ys = zip(*places, strict=True)
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)
    assert ys[0] < ys[1] < ys[2]  # the drawing's y runs downwards
    assert ys[1] - ys[0] == pytest.approx(2 * (ys[2] - ys[1]), abs=0.3)
    assert "training, step 50: 2" in sampled
    ElementTree.fromstring(sampled)


def test_points_that_are_not_numbers_are_left_out():
    line = plots.Line("loss", [(0, 4.0), (50, math.nan), (100, 1.0)])
    sampled = plots.curves([line], y_label="loss", percent=False, description="Loss")
    assert "nan" not in sampled
    assert sampled.count("<circle") == 2
    only = plots.Line("loss", [(0, math.inf)])
    assert plots.curves([only], y_label="loss", percent=False, description="Loss") is None


def test_nothing_is_plotted_of_nothing():
    assert plots.curves([], y_label="loss", percent=False, description="Loss") is None


def test_the_strip_puts_the_rate_inside_its_interval():
    sampled = plots.strip(0.5, 0.25, 0.75, most=1.0)
    [low, high] = [
        float(re.search(rf'whisker[^>]*{x}="([^"]*)"', sampled)[1]) for x in ("x1", "x2")
    ]
    middle = float(re.search(r'cx="([^"]*)"', sampled)[1])
    assert low < middle < high
    assert middle == pytest.approx((low + high) / 2)
    assert "whisker" not in plots.strip(0.5, math.nan, math.nan, most=1.0)


def test_the_shares_of_the_errors_fill_the_bar():
    sampled = plots.share_bar([("a", "substitute", 1), ("b", "delete", 3), ("c", "insert", 0)])
    lefts = [float(x) for x in re.findall(r' x="([^"]*)"', sampled)]
    assert lefts == [0.0, 25.0]


def test_a_scale_maps_both_ends_and_what_lies_between_or_outside():
    scale = axes.Scale(10.0, 20.0, 100.0, 50.0)
    assert [scale(value) for value in (10, 20, 15, 12.5, 30)] == [100.0, 50.0, 75.0, 87.5, 0.0]


@pytest.mark.parametrize(
    ("step", "nearest", "next_up"),
    [(0.3, 0.2, 0.5), (0.33, 0.5, 0.5), (7.0, 5.0, 10.0), (1.0, 1.0, 1.0), (1400, 1000, 2000)],
)
def test_a_round_step_is_one_two_or_five_times_a_power_of_ten(step, nearest, next_up):
    assert axes.round_step(step) == pytest.approx(nearest)
    assert axes.round_step(step, up=True) == pytest.approx(next_up)
