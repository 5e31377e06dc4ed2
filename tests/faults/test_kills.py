"""SIGKILL in any phase of a run: the same command typed once more ends as if untouched.

The harness: ``benchmarks/kills.py``.
"""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from kills import EVALUATION, PREPARATION, REPORT, TRAINING, Bench, run


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Bench:
    return Bench(tmp_path_factory.mktemp("kills"), seed=1)


@pytest.mark.parametrize(
    ("phase", "number"),
    [
        pytest.param(PREPARATION, 6, marks=pytest.mark.long),
        pytest.param(TRAINING, 4, marks=pytest.mark.long),
        pytest.param(EVALUATION, 6, marks=pytest.mark.long),
        pytest.param(REPORT, 4, marks=pytest.mark.long),
    ],
)
def test_a_killed_run_typed_again_ends_as_an_untouched_one(bench, phase, number):
    assert [bench.kill(phase) for _ in range(number)] == [None] * number


@pytest.mark.long
def test_a_clock_that_jumps_ends_no_training(bench, tmp_path, monkeypatch):
    years = itertools.count()
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + next(years) * 365 * 24 * 3600)
    ended = run(tmp_path, bench.cache, [*bench.training, "training.max_time=1h"])
    assert ended.status == 0, ended.printed
    assert "Done in " in ended.printed and "training.max_time" not in ended.printed
    minutes = float(ended.printed.partition("Done in ")[2].split()[0])
    assert 0 < minutes < 10
