"""A search typed as a command, on a tiny model: from its points to its page, and killed."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import forked_commands
import pytest
from test_sweeps import SHRINK

from mynah.runs.directory import complete_checkpoints

pytestmark = pytest.mark.long  # trainings
SEARCH = [
    "-m",
    *SHRINK,
    "training.max_steps=8",
    "training.learning_rate=tag(log,interval(1e-5,1e-2))",
    "training.optim=adamw_torch,muon",
    "sweep.trials=4",
    "sweep.pruner=halving",
    "sweep.reduction_factor=2",
]
WORDS = [sys.executable, "-m", "mynah.cli", "train", *SEARCH]


def rows_of(folder: Path) -> list[dict[str, str]]:
    (path,) = folder.glob("outputs/sweeps/*/sweep.csv")
    with path.open() as handle:
        return list(csv.DictReader(handle))


def points_of(folder: Path) -> dict[str, tuple[str, str]]:
    """What was tried, by number."""
    return {
        row["job"]: (row["training.learning_rate"], row["training.optim"])
        for row in rows_of(folder)
    }


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a search")  # a blank in the path, as people have
    return folder, forked_commands.run(WORDS, folder, forked_commands.environment())


def test_a_search_ends_in_a_table_and_a_page(untouched):
    folder, ended = untouched
    assert ended.returncode == 0, ended.stdout + ended.stderr
    rows = rows_of(folder)
    assert len(rows) == len(set(points_of(folder).values())) == 4
    done = [row for row in rows if row["status"] == "done"]
    assert [float(row["wer"]) for row in done] == sorted(float(row["wer"]) for row in done)
    (page,) = folder.glob("outputs/sweeps/*/search.html")
    assert "Parallel coordinates" in page.read_text() and str(page.name) in ended.stdout
    best = (folder / "outputs" / "model").resolve().parent
    assert best == Path(done[0]["directory"]).resolve()


def test_a_training_that_was_stopped_keeps_a_checkpoint_and_its_last_figure(untouched):
    folder, _ = untouched
    pruned = [row for row in rows_of(folder) if row["status"] == "pruned"]
    assert pruned, "halving stopped nothing"
    for row in pruned:
        directory = Path(row["directory"])
        assert complete_checkpoints(directory / "model")
        lines = (directory / "evaluations.jsonl").read_text().splitlines()
        assert float(row["wer"]) in [pytest.approx(json.loads(one)["value"]) for one in lines]
        assert not (directory / "evaluation").exists()


def test_the_same_search_again_trains_nothing_and_more_trials_continue_it(untouched):
    folder, _ = untouched
    before = points_of(folder)
    more = [word.replace("trials=4", "trials=5") for word in WORDS]
    again = forked_commands.run(more, folder, forked_commands.environment())
    assert again.returncode == 0, again.stdout + again.stderr
    assert "4 of them tried before" in again.stdout and again.stdout.count(": started") == 1
    after = points_of(folder)
    assert len(after) == 5 and before.items() < after.items()


def test_a_search_that_is_killed_tries_the_points_of_an_untouched_one(untouched, tmp_path):
    """With its training, as when a machine dies: in the middle of the second point."""
    folder, _ = untouched
    environment = forked_commands.environment()
    search = subprocess.Popen(
        WORDS, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    training = wait_for_step(tmp_path, jobs=2)
    search.send_signal(signal.SIGKILL)
    os.killpg(training, signal.SIGKILL)
    search.wait(timeout=60)
    (journal,) = tmp_path.glob("outputs/sweeps/*/search.journal")
    assert journal.read_text().count('"pruned_at"') == 0
    ended = forked_commands.run(WORDS, tmp_path, environment)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count(": started") == 3 and "1 of them tried before" in ended.stdout
    first_four = {number: point for number, point in points_of(folder).items() if number != "4"}
    assert points_of(tmp_path) == first_four
    figures = [
        {row["job"]: (row["wer"], row["status"].removesuffix(" before")) for row in rows}
        for rows in (rows_of(tmp_path), rows_of(folder))
    ]
    assert figures[0].items() <= figures[1].items()


def wait_for_step(folder: Path, *, jobs: int) -> int:
    """The process of the last of so many trainings, once it is about to train."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        found = sorted(folder.glob("outputs/sweeps/*/*/job.json"), key=lambda p: p.stat().st_mtime)
        contents = [json.loads(path.read_text()) for path in found]
        running = [one["process"] for one in contents if one["status"] == "running"]
        if len(found) == jobs and running and (found[-1].parent / "data.json").is_file():
            return int(running[-1])
        time.sleep(0.05)
    raise AssertionError("no training came that far")
