"""A search with processes: several at a time, stopped early, with a table and a page at the end."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest
from stub_searches import composed, search_of

from mynah.sweeps.search.run import run_search
from mynah.sweeps.sweep import SweepResult

FAKE = Path(__file__).with_name("fake_training.py")


def run(tmp_path: Path, *overrides: str, at_once: int, steps: int, **how: object) -> SweepResult:
    def command(job, added):
        words = [str(FAKE), str(job.directory), job.swept["model.lora_r"], str(steps)]
        return [sys.executable, *words]

    return run_search(
        search_of(*overrides, **how),
        composed,
        command,
        tmp_path / "outputs" / "sweeps" / "search",
        seed=42,
        working_directory=tmp_path,
        at_once=at_once,
    )


@pytest.mark.long
def test_trainings_run_two_at_a_time_and_what_is_behind_is_interrupted(tmp_path, capsys):
    # Of the figures 1 and 9 at step 1 the second is behind; 2 and 8 come after one of these ended.
    result = run(
        tmp_path, "model.lora_r=1,9,2,8", at_once=2, steps=6, pruner="halving", reduction_factor=2
    )
    assert result.exit_status == 0
    statuses = {row.job.swept["model.lora_r"]: row.outcome.status for row in result.rows}
    assert statuses == {"1": "done", "9": "pruned", "2": "pruned", "8": "pruned"}
    for row in result.rows:
        assert (row.job.directory / "saved").exists() == (row.outcome.status == "pruned")
    folder = result.rows[0].job.directory.parent
    with (folder / "sweep.csv").open() as handle:
        rows = {row["model.lora_r"]: row for row in csv.DictReader(handle)}
    # Where 9 is measured before 1 it is alone at step 1, and behind at step 2.
    assert float(rows["9"]["wer"]) in (9.0, 4.5) and rows["9"]["exit_status"] == "130"
    assert (folder / "search.html").is_file()
    assert (tmp_path / "outputs" / "model").resolve() == result.rows[0].job.directory / "model"
    printed = capsys.readouterr().out
    assert "lora_r=9: WER" in printed and "is not among the best 1 in 2" in printed
    assert "Points: 1 trained to the end, 3 pruned" in printed


@pytest.mark.long
def test_the_best_model_is_that_of_the_best_mean_over_seeds(tmp_path):
    result = run(tmp_path, "model.lora_r=3,2", at_once=2, steps=1, seeds=2)
    assert len(result.rows) == 4 and {row.outcome.status for row in result.rows} == {"done"}
    best = (tmp_path / "outputs" / "model").resolve().parent.name
    assert best.startswith("lora_r-2-seed-4")
