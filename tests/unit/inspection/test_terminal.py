"""Histograms in the terminal."""

from __future__ import annotations

import numpy as np
import pytest

from mynah.inspection.figures import FIGURES
from mynah.inspection.histogram import histogram
from mynah.inspection.terminal import plot, text_bars


def test_a_column_is_as_high_as_its_count_in_eighths_of_a_line():
    lines = text_bars([0, 1, 8, 16, 32], height=4)
    assert lines == ["    █", "    █", "   ██", " ▁███"]


def test_a_small_count_is_never_invisible_and_many_bins_are_shown_together():
    assert text_bars([1, 100_000], height=2)[-1][0] == "▁"
    lines = text_bars([1] * 100, width=30)
    assert len(lines[0]) <= 30
    assert text_bars([], height=2) == ["", ""]


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.key)
def test_a_plot_says_what_it_counts_and_where_it_ends(figure):
    binned = histogram(np.linspace(0, 17, 200))
    lines = plot(figure, binned)
    assert figure.axis in lines[0]
    assert lines[-2].split()[0] == "0"
    assert "median" in lines[-1]
    assert len({len(line) for line in lines}) == 1
