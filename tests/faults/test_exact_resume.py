"""A real training, broken in every way, ends as the one that was never touched.

The harness and what is in the training: ``benchmarks/exact_resume.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from exact_resume import Bench, can_mount


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Bench:
    return Bench(tmp_path_factory.mktemp("trainings"))


def assert_all_identical(outcome, number):
    assert outcome.problems == []
    assert (outcome.broken, outcome.identical) == (number, number)


@pytest.mark.long  # fast in test_training_kill.py
@pytest.mark.parametrize("number", [1, 24])
def test_killed_anywhere_it_ends_as_if_untouched(bench, number):
    assert_all_identical(bench.kills(number), number)


@pytest.mark.long
def test_ended_by_sigterm_it_ends_as_if_untouched(bench):
    assert_all_identical(bench.terms(8), 8)


@pytest.mark.long
@pytest.mark.parametrize("number", [1, 8])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_taken(bench, number):
    assert_all_identical(bench.damaged(number), number)


@pytest.mark.long
def test_a_full_disk_loses_nothing(bench):
    if not can_mount():
        pytest.skip("only root on Linux can mount a small disk")
    assert_all_identical(bench.full_disks(8), 8)
