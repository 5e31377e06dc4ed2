"""A training on Ray that loses a node, continues with one process, and takes a new node in."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
from debian_packages import UnavailableError
from local_ray import LocalRay
from ray_jobs import TRAINING, Folder, Job
from safetensors.numpy import load_file

from mynah.launching.on_ray.place import read_starts

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
STEPS = 240
# Without dropout, whose masks are another process's where another computes the batch.
TRAIN = "mynah train model=small " + TRAINING.replace("dropout: 0.1", "dropout: 0.0").replace(
    "max_steps=30", f"max_steps={STEPS}"
).replace("eval_steps=30", f"eval_steps={STEPS}")  # fmt: skip


@pytest.fixture
def two_nodes(tmp_path):
    """Nodes of its own: one of them is lost."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("ray is not installed")
    try:
        started = LocalRay(tmp_path, cores=(1, 1))
    except UnavailableError as reason:
        pytest.skip(str(reason))
    yield started
    started.stop()


def losses(job: Job) -> dict[int, float]:
    """The loss of each step."""
    state = job.directory / "model" / f"checkpoint-{STEPS}" / "trainer_state.json"
    history = json.loads(state.read_text())["log_history"]
    return {one["step"]: one["loss"] for one in history if "loss" in one}


def weights(job: Job) -> dict[str, np.ndarray]:
    return load_file(job.directory / "model" / f"checkpoint-{STEPS}" / "model.safetensors")


def test_a_training_that_shrinks_to_one_process_and_grows_again_takes_the_same_steps(
    two_nodes, tmp_path
):
    folder = Folder(two_nodes, tmp_path / "elastic", tmp_path / "cache")
    untouched = folder.start(TRAIN, nodes=2)
    assert untouched.end() == 0, untouched.log
    job = folder.start(TRAIN, nodes=2, least_processes=1, grow_seconds=5)
    job.wait_for(lambda: job.steps()[-1:] > [6])
    two_nodes.tell("remove 1")
    job.wait_for(lambda: [one.processes for one in read_starts(job.directory)] == [2, 1])
    two_nodes.tell("add 1")
    job.wait_for(lambda: [one.processes for one in read_starts(job.directory)] == [2, 1, 2])
    assert job.end() == 0, job.log

    expected, found = losses(untouched), losses(job)
    assert len(expected) == STEPS and found.keys() == expected.keys()
    assert max(abs(found[step] - expected[step]) for step in expected) < 1e-4
    before, after = weights(untouched), weights(job)
    for name, tensor in before.items():
        if "running_" not in name and "num_batches" not in name:  # the first process's batches
            assert np.allclose(after[name], tensor, atol=1e-5), name
    assert "every step takes the same utterances as before" in job.log
    assert "Start 2: 1 process (of 2)" in job.log and "Start 3: 2 processes" in job.log
