"""Texts that look like numbers arrive as they are typed, or are refused; never as another text."""

from __future__ import annotations

import itertools

import config_files
import pytest
from tiers import fast_where

from mynah.config.hydra.compose import compose
from mynah.errors import ConfigErrors

# What YAML 1.1 reads as a number that is written otherwise: 7, 90, 10, 1000.0, 1000000, 1.1.
ODD = ["007", "1:30", "012", "1e3", "1_000_000", "1.10", "+7", "0x1F"]


def experiment(tmp_path, lines):
    config_files.experiment(tmp_path, f"data:\n{lines}")
    return compose(["+experiments=mine"], config_dir=tmp_path).config.data


LINES = [
    "  text_substitutions: {{seven: {}}}\n",
    "  text_substitutions:\n    seven: {}\n",
    "  text_substitutions: {{{}: seven}}\n",
    "  dataset_name: {}\n",
    "  dataset_configs: [en, {}]\n",
]


@pytest.mark.parametrize(
    ("line", "number"),
    fast_where(
        lambda line, number: line == LINES[0] or number == ODD[0], itertools.product(LINES, ODD)
    ),
)
def test_in_yaml_they_are_refused_with_their_line_until_they_are_quoted(line, number, tmp_path):
    with pytest.raises(ConfigErrors) as caught:
        experiment(tmp_path, line.format(number))
    said = str(caught.value)
    assert "mine.yaml:3" in said or "mine.yaml:4" in said
    assert f"put quotes around each, as '{number}'" in said
    found = experiment(tmp_path, line.format(f"'{number}'"))
    held = [found.dataset_name, *(found.dataset_configs or [])]
    held += [*found.text_substitutions, *found.text_substitutions.values()]
    assert number in held


def test_a_number_that_is_written_as_it_is_read_needs_no_quotes(tmp_path):
    found = experiment(tmp_path, "  text_substitutions: {ten: 10, half: 0.5}\n")
    assert found.text_substitutions == {"ten": "10", "half": "0.5"}


@pytest.mark.parametrize("number", ["007", "012", "1e3", "1_000_000", "1.10", "-07"])
def test_on_the_command_line_they_are_what_was_typed(number):
    typed = [
        f"data.dataset_name={number}",
        f"data.dataset_configs=[en,{number}]",
        f"data.text_substitutions={{seven: {number}, ten: 10}}",
        f"data.train_splits={number}",
    ]
    data = compose(typed).config.data
    assert (data.dataset_name, data.dataset_configs) == (number, ["en", number])
    assert data.text_substitutions == {"seven": number, "ten": "10"}
    assert data.train_splits == [number]
