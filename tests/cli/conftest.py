"""The caches that all processes of these tests share: spoken sentences, and a hub offline."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from guide_commands import Trainings


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this test run have in common."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return tmp_path_factory.mktemp("shared")
    folder = tmp_path_factory.getbasetemp().parent / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def data_cache(shared: Path) -> Iterator[Path]:
    """A cache of prepared data of its own, so that every sentence is spoken once a test run."""
    with pytest.MonkeyPatch.context() as patch:
        folder = shared / "prepared data"
        folder.mkdir(exist_ok=True)
        patch.setenv("MYNAH_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment of a machine without a network, whose hub cache has what the configs name.

    The parts are tiny and random, of the same classes and in the same layout as the real ones.
    """
    import standin_corpora
    import standins

    home = tmp_path_factory.mktemp("hub")
    cache = home / "hub"
    for name, kind in {**standins.LARGE, "openai/whisper-base": "whisper"}.items():
        standins.install(cache, name, kind)
    standin_corpora.install_librispeech(cache)
    return without_network(home)


@pytest.fixture(scope="session")
def empty_hub(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment of a machine whose network is dead, and with nothing downloaded."""
    home = tmp_path_factory.mktemp("empty hub")
    return without_network(home) | {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:9"}


def without_network(home: Path) -> dict[str, str]:
    """Environment for a process whose Hugging Face home is ``home``, offline."""
    return {
        "HF_HOME": str(home),
        "HF_HUB_CACHE": str(home / "hub"),
        "HF_HUB_OFFLINE": "1",
    }


@pytest.fixture(scope="session")
def trainings(shared: Path, data_cache: Path, hub: dict[str, str]) -> Trainings:
    """The guide's trainings by name."""
    return Trainings(shared / "trainings", hub)


@pytest.fixture(scope="session")
def trained(trainings: Trainings) -> Path:
    """The folder in which a model from scratch was trained; to be read, never written to."""
    folder, done = trainings["small"]
    assert done.returncode == 0, done.stdout + done.stderr
    return folder
