"""The page of a search shows its points, and places them where their values are."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser

import pytest
from browser import PHONE, on_a_phone
from stub_searches import StubSearch, search_of

from mynah.pages.named_bars import named_bars
from mynah.pages.parallel import Thread, UprightAxis, parallel_coordinates
from mynah.sweeps.scores import MetricName
from mynah.sweeps.search.coordinates import figures_of, place_of, setting_axis, threads
from mynah.sweeps.search.page import write_page
from mynah.sweeps.search.space import Choices, Interval
from mynah.sweeps.search.study import SearchStudy, Trial
from mynah.sweeps.table import jobs_best_first

RATE = "training.learning_rate=tag(log,interval(1e-5,1e-1))"


def page_of(tmp_path, search, curve, **more):
    source = StubSearch(search, tmp_path, curve, **more).run()
    rows = jobs_best_first(source.jobs, source.outcomes)
    path = write_page(tmp_path, search, SearchStudy.open(tmp_path, search), rows)
    return path.read_text()


def bowl(swept):
    rate = float(swept["training.learning_rate"])
    return {2: 0.9, 4: 0.1 + (math.log10(rate) + 3) ** 2 / 10}


def test_the_page_has_every_point_and_every_drawing(tmp_path):
    search = search_of(RATE, "model.lora_r=4,8", trials=12)
    text = page_of(tmp_path, search, bowl)
    headings = re.findall(r"<h2[^>]*>([^<]+)</h2>", text)
    assert headings == ["Points", "Course", "Parallel coordinates", "Importance"]
    assert text.count("<tr>") == 13 and "training.learning_rate" in text
    assert len(re.findall(r"<polyline[^>]*><title>point", text)) == 12
    HTMLParser().feed(text)


def test_the_page_fits_a_phone(tmp_path):
    page_of(tmp_path, search_of(RATE, "model.lora_r=4,8", trials=8), bowl)
    found = on_a_phone(tmp_path / "search.html")
    assert found["width"] <= PHONE and found["nameless"] == 0


def test_several_objectives_have_their_front_on_the_page(tmp_path):
    search = search_of(RATE, trials=4, objectives=["wer", "speed"])
    text = page_of(tmp_path, search, bowl, more=lambda swept: {"audio_seconds_per_second": 3.0})
    assert "Pareto front" in text and "on the Pareto front" in text


def test_pruned_points_are_named_with_their_step(tmp_path):
    search = search_of("model.lora_r=1,2", pruner="halving")
    text = page_of(tmp_path, search, lambda swept: {1: int(swept["model.lora_r"]) / 10, 2: 0.1})
    assert "pruned at step 1" in text and "20.00 %" in text


@pytest.mark.parametrize(
    ("dimension", "value", "place"),
    [
        (Interval("x", 1e-5, 1e-1, log=True), 1e-3, 0.5),
        (Interval("x", 0.0, 8.0), 2.0, 0.25),
        (Choices("x", ("a", "b", "c")), "c", 1.0),
    ],
)
def test_a_value_has_its_place_on_its_axis(dimension, value, place):
    assert place_of(dimension, value) == pytest.approx(place)


def test_a_logarithmic_axis_has_its_decades():
    marks = setting_axis(Interval("training.x", 1e-5, 1e-1, log=True)).ticks
    assert [shown for _, shown in marks] == ["1e-05", "0.0001", "0.001", "0.01", "0.1"]
    assert [place for place, _ in marks] == pytest.approx([0, 0.25, 0.5, 0.75, 1])


def test_a_line_goes_through_its_places_from_the_bottom_up():
    axes = [UprightAxis("a", [(0.0, "0")]), UprightAxis("b", []), UprightAxis("<c>", [])]
    drawn = parallel_coordinates(
        axes,
        [Thread("one", [0.0, 1.0, 0.5], 1.0, first=True), Thread("two", [0.5, None, 0.5], 0.0)],
        description="lines",
    )
    (points,) = re.findall(r'points="([^"]*)"', drawn)
    places = [tuple(map(float, one.split(","))) for one in points.split()]
    (first, bottom), (second, top), (third, middle) = places
    assert second - first == third - second > 0
    assert bottom > middle > top and middle == pytest.approx((bottom + top) / 2)
    assert "&lt;c&gt;" in drawn


def test_bars_are_as_long_as_their_shares():
    drawn = named_bars([("a", 0.75), ("b", 0.25)], description="shares")
    long, short = (float(one) for one in re.findall(r'width="([\d.]+)"', drawn))
    assert long == pytest.approx(3 * short, rel=0.01)
    assert named_bars([], description="none") is None


def test_a_pruned_figure_does_not_stretch_the_axis_of_those_that_were_trained_to_the_end():
    def trial(number, state, value):
        return Trial(number, {"training.learning_rate": 0.1}, state, (value,), {}, None, (), None)

    trials = [trial(0, "done", 0.1), trial(1, "done", 0.3), trial(2, "pruned", 1.5)]
    assert figures_of(trials, 0) == [0.1, 0.3]
    drawn = threads(
        search_of(RATE),
        trials,
        [MetricName("wer", "WER", "", False, True)],
        ["a", "b", "c"],
    )
    assert [one.places[-1] for one in drawn] == [0.0, 1.0, 1.0]
    assert [one.first for one in drawn] == [True, False, False] and drawn[2].shade == 0.0
