"""The guide's sweeps, and what a sweep does with mistakes, each as a process."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import forked_commands
import pytest
from tiers import fast_where

SCRIPT = Path(__file__).parents[2] / "src" / "train_hydra.py"
SHRINK = [
    "model=small",
    "data=small",
    "model.encoder.layers=1",
    "data.synthesis.train_sentences=24",
    "data.synthesis.eval_sentences=4",
    "training.max_steps=2",
    "training.eval_steps=2",
    "evaluation.bootstrap_samples=50",
]


def sweep(folder: Path, *arguments: str, command: list[str] | None = None):
    words = [sys.executable, *(command or [str(SCRIPT)]), *arguments]
    return forked_commands.run(words, folder, forked_commands.environment())


def table(folder: Path) -> list[dict[str, str]]:
    (path,) = folder.glob("outputs/sweeps/*/sweep.csv")
    with path.open() as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def learning_rates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learning rates")  # a blank in the path, as people have
    return folder, sweep(folder, "-m", "training.learning_rate=1e-5,3e-5", *SHRINK)


def test_a_grid_over_learning_rates_ends_in_a_table_best_first(learning_rates):
    folder, ended = learning_rates
    assert ended.returncode == 0, ended.stdout + ended.stderr
    rows = table(folder)
    assert {float(row["training.learning_rate"]) for row in rows} == {1e-5, 3e-5}
    rates = [float(row["wer"]) for row in rows]
    assert rates == sorted(rates)
    assert all(float(row["wer_low"]) <= float(row["wer"]) for row in rows)
    assert "Jobs, best first" in ended.stdout and "Traceback" not in ended.stderr
    assert list(folder.glob("outputs/sweeps/*/sweep.svg"))


def test_each_job_is_a_run_of_its_own_and_the_best_becomes_outputs_model(learning_rates):
    folder, _ = learning_rates
    rows = table(folder)
    for row in rows:
        job = Path(row["directory"])
        assert (job / "evaluation" / "results.json").is_file()
        assert (job / ".hydra" / "overrides.yaml").is_file()
        assert "reference" in Path(row["log"]).read_text() or Path(row["log"]).stat().st_size
    assert (folder / "outputs" / "model").resolve().parent == Path(rows[0]["directory"]).resolve()


def test_the_same_sweep_typed_otherwise_runs_nothing_again(learning_rates):
    folder, _ = learning_rates
    before = {row["log"]: Path(row["log"]).stat().st_mtime_ns for row in table(folder)}
    again = sweep(
        folder,
        "--multirun",
        *SHRINK,
        "training.learning_rate=3e-5,1e-5",
        command=["-m", "mynah.cli", "train"],
    )
    assert again.returncode == 0, again.stdout + again.stderr
    assert "2 done before and not run again" in again.stdout
    assert {log: Path(log).stat().st_mtime_ns for log in before} == before


def test_a_jobs_recorded_command_can_be_pasted(learning_rates):
    folder, _ = learning_rates
    job = Path(table(folder)[0]["directory"])
    command = json.loads((job / "job.json").read_text())["command"]
    shown = subprocess.run(
        [*command, "--cfg", "job"], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert shown.returncode == 0, shown.stderr
    assert "max_steps: 2" in shown.stdout


@pytest.mark.long  # six trainings
def test_the_guides_grid_over_two_settings_runs_every_pair(tmp_path):
    """With an explicit output_dir, which the jobs must not share."""
    ended = sweep(
        tmp_path,
        "-m",
        "model.lora_r=8,16,32",
        "training.learning_rate=1e-5,5e-5",
        *SHRINK,
        "training.eval_strategy=no",
        "training.load_best_model_at_end=false",
        "training.max_steps=1",
        "training.output_dir=mine",
        "hydra.launcher.n_jobs=2",
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    rows = table(tmp_path)
    assert len({(row["model.lora_r"], row["training.learning_rate"]) for row in rows}) == 6
    names = {Path(row["directory"]).name for row in rows}
    assert {path.name for path in (tmp_path / "mine").iterdir() if path.is_dir()} == names
    assert (tmp_path / "outputs" / "model").resolve().parent == (tmp_path / "mine").resolve()


@pytest.mark.parametrize(
    ("arguments", "said"),
    fast_where(
        lambda _, said: said in ("exclude each other", "n_jobs"),
        [
            (["training.learning_rate=1e-5,abc"], "learning_rate"),
            (["training.learnin_rate=1e-5,3e-5"], "training.learning_rate"),
            # Each value is right by itself: only one pair is not.
            (["training.bf16=false,true", "training.fp16=false,true"], "exclude each other"),
            (["hydra.launcher.n_jobs=0", "training.seed=1,2"], "n_jobs"),
        ],
    ),
)
def test_a_mistake_in_any_job_is_reported_before_the_first_one_starts(tmp_path, arguments, said):
    ended = sweep(tmp_path, "-m", *SHRINK, *arguments)
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr and len(ended.stderr.splitlines()) <= 10
    assert not ended.stdout
    assert not list(tmp_path.glob("outputs/sweeps/*/*/job.log"))


@pytest.mark.long
def test_jobs_that_fail_are_each_reported_with_their_log(tmp_path):
    (tmp_path / "empty").mkdir()
    ended = sweep(tmp_path, "-m", *SHRINK, "data.dataset_name=./empty,./gone")
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert [(row["status"], row["exit_status"]) for row in table(tmp_path)] == [("failed", "2")] * 2
    assert ended.stderr.count("job.log") == 2 and "Traceback" not in ended.stderr
    assert "empty" in ended.stdout and "gone" in ended.stdout
