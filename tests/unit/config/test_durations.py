"""Lengths of time as people and SLURM write them."""

from __future__ import annotations

import pytest

from mynah.config.durations import parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("45s", 45),
        ("90m", 5400),
        ("1.5h", 5400),
        ("2d12h", 216_000),
        ("12:30", 45_000),
        ("12:30:15", 45_015),
        ("2-12:00:00", 216_000),
        (" 1H 30M ", 5400),
    ],
)
def test_a_time_is_read_as_people_and_slurm_write_it(written, seconds):
    assert parse_duration(written) == seconds


@pytest.mark.parametrize("written", ["", "90", "1h30", "0m", "00:00:00", "-5m", "1:2:3", "soon"])
def test_what_is_not_a_time_or_could_be_two_is_refused(written):
    with pytest.raises(ValueError, match="time"):
        parse_duration(written)
