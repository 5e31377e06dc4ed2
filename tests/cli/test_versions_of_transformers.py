"""The newest transformers trains and resumes from the command line, as the pinned one does."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from workspaces import REPOSITORY, SMALL, clone, run, run_directories

from mynah.checkpoints.commit import intact_checkpoints
from mynah.machine import TESTED

TRAIN = "python src/train_hydra.py model=small data=small"


@pytest.fixture(scope="module")
def newest(tmp_path_factory) -> Path:
    """A folder with the newest 5.x of transformers alone, unpacked from its wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    asked = [sys.executable, "-m", "pip", "download", "transformers>=5,<6", "--no-deps", "--quiet",
             "--only-binary=:all:", "--dest", str(folder)]  # fmt: skip
    unbound = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}
    done = subprocess.run(asked, env=unbound, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("transformers-*.whl"))
    if done.returncode or not wheels:
        pytest.skip(f"the newest transformers cannot be fetched: {done.stderr.strip()[-300:]}")
    with zipfile.ZipFile(wheels[0]) as wheel:
        wheel.extractall(folder / "unpacked")
    return folder / "unpacked"


@pytest.mark.long
def test_the_newest_transformers_trains_two_steps_and_resumes(newest, tmp_path):
    folder = clone(tmp_path / "clone")
    first = os.pathsep.join([str(newest), str(REPOSITORY / "src")])
    version = next(newest.glob("transformers-*.dist-info")).name.split("-")[1].split(".dist")[0]
    trained = run(folder, TRAIN, SMALL, PYTHONPATH=first)
    assert trained.returncode == 0, trained.stdout + trained.stderr
    (directory,) = run_directories(folder)
    assert f'"transformers": "{version}"' in (directory / "run.json").read_text()
    known = tuple(int(number) for number in TESTED["transformers"][1].split("."))
    untested = tuple(int(number) for number in version.split(".")[:2]) > known
    assert (f"transformers {version} is not a version that Mynah" in trained.stdout) == untested
    suffix = f"{SMALL} training.max_steps=3 training.eval_steps=3 resume_from_checkpoint=last"
    resumed = run(folder, TRAIN, suffix, PYTHONPATH=first)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert "Resuming at step 2 of 3" in resumed.stdout
    newest_checkpoint = intact_checkpoints(directory / "model")[-1]
    assert newest_checkpoint.name == "checkpoint-3"
