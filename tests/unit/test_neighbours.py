"""``benchmarks/neighbours.py``: what fair shares leave, and that all of it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import neighbours


# On two cores, by hand: so many that run share them, none gets more than one.
@pytest.mark.parametrize(
    ("threads", "busy", "left"), [(1, 0, 1), (1, 1, 1), (1, 2, 2 / 3), (2, 1, 2 / 3), (2, 2, 1 / 2)]
)
def test_fair_shares_of_two_cores(monkeypatch, threads, busy, left):
    monkeypatch.setattr(neighbours, "cores", lambda: 2)
    assert neighbours.Way(0, threads, "default").fair(busy) == pytest.approx(left)


@pytest.mark.long
def test_a_round_of_it_is_measured_beside_a_plain_loop(tmp_path):
    program = Path(neighbours.__file__)
    options = "--seconds 1 --repeats 1 --neighbours 0,1 --threads 1 --workers 1"
    small = "model.encoder.layers=1 model.encoder.hidden_size=16 training.batch_seconds=8"
    done = subprocess.run(
        [sys.executable, str(program), *options.split(), *small.split()],
        cwd=tmp_path, capture_output=True, text=True, check=False, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    _, plain, worker = done.stdout.splitlines()
    assert plain.startswith("plain loop, 1 threads") and worker.startswith("1 workers, 1 threads")
    assert "1 neighbours" in plain and " left (least " in worker
