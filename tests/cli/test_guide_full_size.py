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
    """Run a command on all cores to its end; what it measured on the validation split."""
    done = subprocess.run(
        words(command), cwd=clone(folder), env=os.environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (directory,) = run_directories(folder)
    assert (directory / "evaluation" / "report.html").stat().st_size > 10_000
    results = json.loads((directory / "evaluation" / "results.json").read_text())
    return results["evaluations"]["validation"]


def test_the_default_training_understands_voices_and_sentences_it_never_saw(tmp_path):
    found = finished(tmp_path / "clone", "python src/train_hydra.py")
    assert found["utterances"] >= 300
    assert found["cer"] <= 0.05
    assert found["wer"] <= 0.15


@pytest.mark.parametrize(
    "command",
    [
        "python src/train_hydra.py +experiments=test",
        "python src/train.py configs/experiments/test_config.json",
    ],
)
def test_the_test_experiment_measures_all_of_its_utterances(tmp_path, command):
    assert finished(tmp_path / "clone", command)["utterances"] == shipped(
        "data/small", "synthesis.eval_sentences"
    )
