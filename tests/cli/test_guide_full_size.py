"""What the guide's reader waits for: the commands that run offline, not shortened."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from workspaces import clone, run_directories, shipped, words

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]


def finished(folder: Path, command: str) -> dict:
    """Run a command on all cores to its end; what its results file says."""
    done = subprocess.run(
        words(command), cwd=clone(folder), env=os.environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (directory,) = run_directories(folder)
    assert (directory / "evaluation" / "report.html").stat().st_size > 10_000
    return json.loads((directory / "evaluation" / "results.json").read_text())


def test_the_default_training_understands_calls_that_its_base_does_not(tmp_path):
    results = finished(tmp_path / "clone", "python src/train_hydra.py")
    found = results["evaluations"]["validation"]
    assert found["utterances"] == shipped("data/default", "synthesis.eval_sentences")
    assert found["words"] >= 1400  # not short ones: what the configuration file promises
    assert found["wer"] <= 0.05 and found["cer"] <= 0.05
    # Not by its notation alone: at most half of the base's errors, on the same utterances.
    compared = results["before_after"]["splits"]["validation"]
    wer = compared["one_notation"]["metrics"]["wer"]
    assert compared["utterances"] >= 100 and wer["tuned"] <= wer["base"] / 2
    (guard,) = results["before_after"]["guards"].values()
    wer = guard["one_notation"]["metrics"]["wer"]
    assert wer["tuned"] <= wer["base"] + 0.02


@pytest.mark.parametrize(
    "command",
    [
        "python src/train_hydra.py +experiments=test",
        "python src/train.py configs/experiments/test_config.json",
    ],
)
def test_the_test_experiment_measures_all_of_its_utterances(tmp_path, command):
    found = finished(tmp_path / "clone", command)["evaluations"]["validation"]
    assert found["utterances"] == shipped("data/small", "synthesis.eval_sentences")
