"""Bars, point clouds, outlines and sortable tables: what stands where."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from mynah.pages.bars import bars
from mynah.pages.scatter import Point, scatter, waveform
from mynah.pages.tables import Cell, Heading, sortable


def drawn_bars(counts, **changes):
    arguments = {"low": 0.0, "width": 2.0, "beyond": 0, "median": 3.0} | changes
    made = bars(counts, x_label="seconds", what="rows", description="Rows", **arguments)
    ElementTree.fromstring(made)
    return made


def test_bars_stand_on_the_axis_and_are_as_high_as_their_counts():
    made = drawn_bars([10, 0, 40])
    heights = [float(value) for value in re.findall(r'<rect[^>]* height="([^"]*)"', made)]
    assert len(heights) == 2  # nothing is plotted of nothing
    assert heights[1] == pytest.approx(4 * heights[0], abs=0.3)
    assert "4 to 6: 40 rows" in made


def test_a_single_row_among_many_can_be_seen():
    heights = re.findall(r'<rect[^>]* height="([^"]*)"', drawn_bars([100_000, 1]))
    assert float(heights[1]) >= 1.5


def test_what_lies_beyond_is_named_and_the_median_is_shown_where_it_is():
    made = drawn_bars([5, 5], beyond=3, median=2.0)
    assert "3 above 4" in made
    place = float(re.search(r'class="median" x1="([^"]*)"', made)[1])
    lefts = [float(value) for value in re.findall(r'<rect class="bar" x="([^"]*)"', made)]
    assert place == pytest.approx(lefts[1], abs=1.0)


def test_a_cloud_has_every_point_once_and_names_those_that_stand_out():
    made = scatter(
        [Point(1, 10), Point(2, 20), Point(4, 5, "odd <one>")],
        x_label="seconds",
        y_label="characters",
        description="Cloud",
    )
    ElementTree.fromstring(made)
    [path] = re.findall(r'class="cloud" d="([^"]*)"', made)
    places = [tuple(map(float, place)) for place in re.findall(r"M([\d.]+) ([\d.]+)h0", path)]
    assert len(places) == 2
    assert places[0][0] < places[1][0] and places[0][1] > places[1][1]  # y runs downwards
    assert made.count("<circle") == 1
    assert "odd &lt;one&gt;" in made
    assert scatter([], x_label="x", y_label="y", description="None") is None


def test_an_outline_is_as_wide_as_its_parts_and_never_leaves_its_frame():
    made = waveform([0.0, 0.5, 7.0], "Outline")
    ElementTree.fromstring(made)
    ends = [float(value) for value in re.findall(r"V([-\d.]+)", made)]
    assert ends == [12.0, 17.8, 23.5]


def test_a_table_s_cells_are_text_and_carry_what_they_are_sorted_by():
    made = sortable(
        [Heading("name", text=True), Heading("hours", title="of audio")],
        [["<b>", Cell("1,000.5", 1000.5)]],
        label="names",
        searched=True,
    )
    ElementTree.fromstring(made.replace(" hidden>", ">").replace('autocomplete="off">', "/>"))
    assert "&lt;b&gt;" in made
    assert 'data-value="1000.5"' in made
    assert made.count("<th ") == 2
    assert 'type="search"' in made
