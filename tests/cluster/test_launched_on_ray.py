"""``launch=ray`` on a real Ray of two nodes: a lost process costs steps, and changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ray_jobs import SAVED, STEPS, TRAINING, Folder
from workspaces import assert_refused, run_directories

from mynah.checkpoints.commit import find_damage
from mynah.launching.on_ray.place import read_starts

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
TRAIN = f"mynah train model=small {TRAINING}"


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def untouched(ray, cache, tmp_path_factory):
    """A training of two processes, one on each node, that nobody touched."""
    folder = Folder(ray, tmp_path_factory.mktemp("untouched"), cache)
    job = folder.start(TRAIN, nodes=2)
    assert job.end() == 0, job.log
    return job


def results(directory: Path) -> dict[str, object]:
    written = json.loads((directory / "evaluation" / "results.json").read_text())
    return written["evaluations"]["validation"]["metrics"]


def test_a_training_whose_workers_are_killed_ends_with_an_untouched_ones_weights(
    ray, cache, untouched, tmp_path
):
    folder = Folder(ray, tmp_path / "a folder", cache)  # a blank in the path, as people have
    job = folder.start(TRAIN, nodes=2)
    job.kill_at(3, worker=True)  # before the first checkpoint
    job.kill_at(2 * SAVED + 2, worker=True, rank=1)
    job.kill_at(4 * SAVED + 2, worker=False)
    assert job.end() == 0, job.log
    assert [one.resumed for one in read_starts(job.directory)] == [False, False, True, True]
    assert find_damage(job.directory / "model" / f"checkpoint-{STEPS}") is None
    assert job.weights() == untouched.weights()
    assert results(job.directory) == results(untouched.directory)
    assert "Traceback" not in job.log
    listed = folder.type("mynah jobs").stdout
    assert job.name in listed and "done" in listed and job.directory.name in listed
    assert "Start 4: 2 processes" in folder.type(f"mynah jobs log {job.name} --lines 99999").stdout


def test_a_training_that_loses_a_process_too_often_is_given_up_and_resumes_by_hand(
    ray, cache, untouched, tmp_path
):
    folder = Folder(ray, tmp_path / "given_up", cache)
    job = folder.start(TRAIN, nodes=2, retries=0)
    with pytest.raises(AssertionError):
        job.kill_at(SAVED + 1, worker=True)
    assert job.end() == 1
    assert "started once and is given up (launch.retries=0)" in job.log
    assert "failed" in folder.type("mynah jobs").stdout
    again = folder.start(f"{TRAIN} resume_from_checkpoint=last", nodes=2)
    assert again.directory == job.directory
    assert again.end() == 0, again.log
    assert again.weights() == untouched.weights()


def test_a_cancelled_training_saves_and_resumes_there(ray, cache, untouched, tmp_path):
    folder = Folder(ray, tmp_path / "cancelled", cache)
    job = folder.start(TRAIN, nodes=2)
    job.wait_for(lambda: job.steps()[-1:] > [SAVED + 1])
    assert folder.type(f"mynah jobs cancel {job.name}").returncode == 0
    assert job.end() == 130, job.log
    assert "interrupted" in folder.type("mynah jobs").stdout
    stopped = max(int(p.name.split("-")[1]) for p in job.directory.glob("model/checkpoint-*"))
    assert stopped % SAVED or stopped > SAVED  # the step in hand was finished and kept
    again = folder.start(f"{TRAIN} resume_from_checkpoint=last", nodes=2)
    assert again.end() == 0, again.log
    assert again.weights() == untouched.weights()


def test_an_evaluation_measures_what_the_command_measures_here(ray, cache, untouched, tmp_path):
    folder = Folder(ray, tmp_path / "evaluation", cache)
    model = untouched.directory / "model"
    measure = f"mynah eval {model} training.use_cpu=true"
    here = folder.type(measure)
    assert here.returncode == 0, here.stderr
    job = folder.start(measure, nodes=2)
    assert job.end() == 0, job.log
    by_command, by_job = run_directories(folder.place)
    assert by_job == job.directory and results(by_job) == results(by_command)


def test_more_than_the_nodes_have_is_refused_where_it_is_typed(ray, cache, tmp_path):
    folder = Folder(ray, tmp_path / "refused", cache)
    typed = f"{TRAIN} launch=ray launch.address={ray.address}"
    for more, said in {
        "launch.nodes=3 launch.gpus_per_node=0": "asks for 3 nodes with 1 core, and Ray",
        "launch.gpus_per_node=1": "asks for 1 node with 1 core, 1 GPU",
        "launch.cpus_per_process=2": "asks for 1 node with 2 cores",
    }.items():
        assert_refused(folder.type(f"{typed} {more}"), said)
    assert not list(folder.place.glob("outputs/*/*"))


def test_a_mistake_that_only_a_node_can_find_is_in_the_log_and_is_not_tried_again(
    ray, cache, tmp_path
):
    folder = Folder(ray, tmp_path / "mistake", cache)
    job = folder.start(f"{TRAIN} data.train_splits=[nonsense]")
    assert job.end() == 2, job.log
    assert "no split 'nonsense'" in job.log and len(read_starts(job.directory)) == 1
