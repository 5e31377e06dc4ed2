"""SIGKILL in any phase of a run: the same command typed once more ends as if untouched.

The harness: ``benchmarks/kills.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from kills import EVALUATION, PREPARATION, REPORT, TRAINING, Bench


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Bench:
    return Bench(tmp_path_factory.mktemp("kills"), seed=1)


@pytest.mark.parametrize(
    ("phase", "number"),
    [
        (PREPARATION, 1),
        (REPORT, 1),
        pytest.param(PREPARATION, 6, marks=pytest.mark.long),
        pytest.param(TRAINING, 4, marks=pytest.mark.long),
        pytest.param(EVALUATION, 6, marks=pytest.mark.long),
        pytest.param(REPORT, 4, marks=pytest.mark.long),
    ],
)
def test_a_killed_run_typed_again_ends_as_an_untouched_one(bench, phase, number):
    assert [bench.kill(phase) for _ in range(number)] == [None] * number
