"""Sweeps, preparations and transcriptions on a real Ray: what is lost costs a part, and no more."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from ray_jobs import LAUNCH, TRAINING, Folder, Job
from workspaces import assert_refused

from mynah.launching.on_ray.place import read_starts
from mynah.runs.directory import complete_checkpoints

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
RATE, CLIPS = 16_000, 1700
FEW = TRAINING.replace("training.max_steps=30", "training.max_steps=4").replace(
    "training.eval_steps=30", "training.eval_steps=4"
).replace("training.save_steps=5", "training.save_steps=4")  # fmt: skip
WORKING = b"ray::_done"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """1,700 clips of one to three seconds, in four shards."""
    folder = tmp_path_factory.mktemp("corpus") / "clips"
    folder.mkdir()
    random = np.random.default_rng(0)
    lines = ["file_name,transcription"]
    for number in range(CLIPS):
        noise = 0.1 * random.standard_normal(RATE + int(random.integers(2 * RATE)))
        soundfile.write(folder / f"{number:05d}.wav", noise.astype(np.float32), RATE)
        lines.append(f"{number:05d}.wav,clip {number}")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
    return folder


def contents(folder: Path, *names: str) -> dict[str, str]:
    """A digest of each file of some endings."""
    return {
        str(path.relative_to(folder)): hashlib.blake2b(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix in names
    }


def kill_while_working(job: Job, times: int) -> int:
    """Kill processes of Ray that do a part; how many it were before the job ended."""
    killed: set[int] = set()
    while job.exit_status is None and len(killed) < times:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            number = int(path.parent.name)
            try:
                if number in killed or not path.read_bytes().startswith(WORKING):
                    continue
                time.sleep(0.1)
                os.kill(number, signal.SIGKILL)
            except OSError:
                continue
            killed.add(number)
            break
        time.sleep(0.02)
    return len(killed)


def test_a_preparation_whose_processes_are_killed_leaves_the_shards_of_one_process(
    ray, corpus, tmp_path
):
    prepare = f"mynah data prepare {corpus}"
    here = Folder(ray, tmp_path / "here", tmp_path / "one")
    assert here.type(f"{prepare} data.num_proc=1").returncode == 0
    folder = Folder(ray, tmp_path / "ray", tmp_path / "many")
    job = folder.start(prepare, retries=8)
    killed = kill_while_working(job, 3)
    assert job.end() == 0, job.log
    assert killed == 3 and job.log.count("is begun again") >= 1, job.log
    shards = contents(tmp_path / "one", ".arrow")
    assert len(shards) >= 4 and contents(tmp_path / "many", ".arrow") == shards
    assert not list((tmp_path / "many").glob("*.partial"))
    assert "preparation" in folder.type("mynah jobs").stdout


def test_a_part_that_is_lost_too_often_ends_a_preparation_which_keeps_what_is_done(
    ray, corpus, tmp_path
):
    prepare = f"mynah data prepare {corpus}"
    folder = Folder(ray, tmp_path / "ray", tmp_path / "cache")
    job = folder.start(prepare, retries=0)
    assert kill_while_working(job, 1) == 1
    assert job.end() == 2, job.log
    assert "lost its process once" in job.log and "launch.memory" in job.log
    assert "Traceback" not in job.log
    again = folder.start(prepare)
    assert again.end() == 0, again.log


def test_a_transcription_whose_processes_are_killed_writes_the_files_of_one_process(
    ray, corpus, tmp_path
):
    folder = Folder(ray, tmp_path / "a folder", tmp_path / "cache")
    trained = folder.type(f"mynah train model=small {FEW}")
    assert trained.returncode == 0, trained.stderr
    some = tmp_path / "some"
    some.mkdir()
    for path in sorted(corpus.glob("*.wav"))[:600]:
        (some / path.name).symlink_to(path)
    transcribe = f"mynah transcribe {some} --format txt,json,srt --device cpu"
    here = folder.type(f"{transcribe} --to here")
    assert here.returncode == 0, here.stderr
    job = folder.start(f"{transcribe} --to there")
    killed = kill_while_working(job, 2)
    assert job.end() == 0, job.log
    assert killed == 2 and "is begun again" in job.log
    endings = (".txt", ".json", ".srt", ".jsonl")
    written = contents(folder.place / "here", *endings)
    assert len(written) == 3 * 600 + 1  # the journal, in the same order too
    assert contents(folder.place / "there", *endings) == written


def test_a_sweep_runs_its_jobs_side_by_side_and_one_that_loses_its_process_begins_again(
    ray, tmp_path
):
    folder = Folder(ray, tmp_path / "sweep", tmp_path / "cache")
    grid = f"mynah train -m training.seed=1,2,3 model=small {FEW}"
    job = folder.start(grid)
    job.wait_for(lambda: job.log.count(": started") >= 2)
    (first,) = folder.place.glob("outputs/sweeps/*/seed-1-*")
    one = Job("of the sweep", first)
    one.wait_for(lambda: bool(one.steps()))
    one.kill_at(1, worker=True)
    assert job.end() == 0, job.log
    assert len(read_starts(first)) == 2
    with (job.directory / "sweep.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert {row["status"] for row in rows} == {"done"}
    # The jobs are those of the same sweep on this machine.
    here = folder.type(grid)
    assert here.returncode == 0 and "3 done before and not run again" in here.stdout


def test_a_search_runs_on_ray_and_draws_its_page(ray, tmp_path):
    pytest.importorskip("optuna")
    folder = Folder(ray, tmp_path / "search", tmp_path / "cache")
    rates = "'training.learning_rate=interval(1e-4,1e-3)' sweep.trials=3"
    job = folder.start(f"mynah train -m {rates} model=small {FEW}")
    assert job.end() == 0, job.log
    assert "Points: 3 trained to the end" in job.log
    assert (job.directory / "search.html").is_file()
    assert len(re.findall(r"^\[\d/3\]", job.log, re.MULTILINE)) == 3


def test_halving_stops_trainings_of_a_search_on_ray(ray, tmp_path):
    pytest.importorskip("optuna")
    folder = Folder(ray, tmp_path / "halving", tmp_path / "cache")
    steps = FEW.replace("max_steps=4", "max_steps=8").replace("eval_steps=4", "eval_steps=2")
    asked = (
        "'training.learning_rate=tag(log,interval(1e-6,1e-2))' sweep.trials=4 "
        "sweep.pruner=halving sweep.reduction_factor=2 training.metric_for_best_model=loss"
    )
    job = folder.start(f"mynah train -m {asked} model=small {steps} training.save_steps=2")
    assert job.end() == 0, job.log
    with (job.directory / "sweep.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert {row["status"] for row in rows} == {"done", "pruned"} and len(rows) == 4
    for row in rows:
        place = Path(row["directory"])
        taken = [json.loads(one) for one in (place / "evaluations.jsonl").read_text().splitlines()]
        assert complete_checkpoints(place / "model")
        assert (place / "evaluation").exists() == (row["status"] == "done")
        assert (taken[-1]["step"] == 8) == (row["status"] == "done")
    best = min((row for row in rows if row["status"] == "done"), key=lambda row: float(row["loss"]))
    assert Path(best["directory"]) == (folder.place / "outputs" / "model").resolve().parent


def test_what_parts_of_work_do_not_heed_is_refused(ray, corpus, tmp_path):
    folder = Folder(ray, tmp_path / "refused", tmp_path / "cache")
    typed = f"mynah data prepare {corpus} {LAUNCH} launch.address={ray.address}"
    setup = folder.type(f"{typed} 'launch.environment=[\"export A=1\"]'")
    assert_refused(setup, "launch.environment is for processes of our own")
    assert_refused(folder.type(f"{typed} launch.cpus_per_process=2"), "a node with 2 cores")
    assert not list(folder.place.glob("outputs/*/*"))
