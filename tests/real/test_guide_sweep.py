"""The guide's sweep on the real base, word for word: it ends no worse than the base."""

from __future__ import annotations

import csv
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "src" / "train_hydra.py"
SHORT = (
    "training.max_steps=5 training.eval_steps=5 data.synthesis.train_sentences=40 "
    "data.max_eval_samples=8 evaluation.guard=[] evaluation.bootstrap_samples=50 offline=true"
)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("sweep", "jobs"),
    [
        ("training.learning_rate=1e-5,3e-5,5e-5", 3),
        ("model.lora_r=8,16,32 training.learning_rate=1e-5,5e-5", 6),
    ],
)
def test_every_job_ends_no_worse_than_the_base_beyond_chance(tmp_path, cache, sweep, jobs):
    words = [sys.executable, str(SCRIPT), "-m", *shlex.split(f"{sweep} {SHORT}")]
    done = subprocess.run(
        words, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, timeout=1200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (table,) = tmp_path.glob("outputs/sweeps/*/sweep.csv")
    with table.open() as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == jobs and {row["status"] for row in rows} == {"done"}
    results = list(tmp_path.glob("outputs/sweeps/*/*/evaluation/results.json"))
    assert len(results) == jobs
    for path in results:
        measured = json.loads(path.read_text())["before_after"]["splits"]["validation"]
        assert measured["utterances"] == 8
        for rates in (measured["as_scored"], measured["one_notation"]):
            found = rates["metrics"]["wer"]
            # The base repeats itself on bare clips: several times as many errors as words.
            assert found["low"] <= 0 and found["tuned"] < found["base"] + 0.2
