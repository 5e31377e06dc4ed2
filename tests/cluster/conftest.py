"""One SLURM and one Ray for the tests of this folder, and what an untouched job comes to."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from debian_packages import UnavailableError
from local_ray import LocalRay
from one_node_slurm import OneNodeSlurm
from slurm_jobs import outcome, submit


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneNodeSlurm]:
    try:
        started = OneNodeSlurm(tmp_path_factory.mktemp("slurm"))
    except UnavailableError as reason:
        pytest.skip(str(reason))
    yield started
    started.stop()


@pytest.fixture(scope="session")
def untouched(slurm, tmp_path_factory):
    """Of so many tasks: where a job was left alone, and what it came to."""
    done: dict[int, tuple[Path, dict[str, object]]] = {}

    def of(tasks: int) -> tuple[Path, dict[str, object]]:
        if tasks not in done:
            folder = tmp_path_factory.mktemp("untouched")
            job = submit(slurm, folder, folder / "cache", tasks)
            ended = job.wait_for_its_end()
            assert (ended["JobState"], ended["Restarts"]) == ("COMPLETED", "0"), job.log
            done[tasks] = folder / "cache", outcome(job)
        return done[tasks]

    return of


@pytest.fixture(scope="session")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRay]:
    """Two nodes with a core each."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("ray is not installed")
    try:
        started = LocalRay(tmp_path_factory.mktemp("ray"), cores=(1, 1))
    except UnavailableError as reason:
        pytest.skip(str(reason))
    yield started
    started.stop()
