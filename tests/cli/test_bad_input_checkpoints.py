"""Checkpoints and output directories that cannot be meant: reported at once, nothing touched."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
from workspaces import SMALL, assert_refused, run, run_directories

EVAL = "python src/train_hydra.py eval_checkpoint="
RESUME = "python src/train_hydra.py resume_from_checkpoint="


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    return shutil.copytree(trained, tmp_path / "clone", symlinks=True)


def contents(folder: Path) -> dict[str, str]:
    """Digests of all files of all runs."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.joinpath("outputs").rglob("*")
        if path.is_file()
    }


def assert_refused_and_nothing_lost(folder: Path, command: str, *said: str) -> None:
    before = contents(folder)
    assert_refused(run(folder, command, SMALL), *said)
    assert contents(folder).items() >= before.items()


def test_a_checkpoint_that_does_not_exist_is_answered_with_those_that_do(folder):
    assert_refused_and_nothing_lost(
        folder,
        f"{EVAL}./outputs/model/checkpoint-1000",
        "There is no checkpoint ./outputs/model/checkpoint-1000",
        "outputs/model is outputs/2",
        "eval_checkpoint=outputs/model/checkpoint-2",
    )


def test_where_nothing_was_trained_a_checkpoint_says_to_train_first(folder):
    shutil.rmtree(folder / "outputs")
    done = run(folder, f"{EVAL}./outputs/model/checkpoint-1000")
    assert_refused(done, "train first")
    assert not (folder / "outputs").exists()


@pytest.mark.parametrize("setting", [EVAL, RESUME], ids=["eval", "resume"])
def test_a_checkpoint_with_a_file_missing_is_named_with_what_is_missing(folder, setting):
    broken = shutil.copytree(folder / "outputs" / "model" / "checkpoint-2", folder / "broken")
    (broken / "tokenizer.json").unlink()
    assert_refused_and_nothing_lost(
        folder, f"{setting}broken", "tokenizer.json", "outputs/model/checkpoint-2"
    )


@pytest.mark.parametrize("setting", [EVAL, RESUME], ids=["eval", "resume"])
def test_a_checkpoint_with_an_altered_file_is_not_used(folder, setting):
    altered = shutil.copytree(folder / "outputs" / "model" / "checkpoint-2", folder / "altered")
    content = bytearray((altered / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (altered / "model.safetensors").write_bytes(content)
    runs = run_directories(folder)
    assert_refused_and_nothing_lost(folder, f"{setting}altered", "model.safetensors", "fix:")
    assert run_directories(folder) == runs and len(list(folder.glob("outputs/2*/*"))) == len(runs)


def test_a_model_setting_that_contradicts_the_checkpoint_is_refused(folder):
    before = contents(folder)
    done = run(folder, f"{EVAL}outputs/model/checkpoint-2 model.encoder.layers=3")
    assert_refused(done, "model.encoder.layers=3", "it has 1")
    assert contents(folder) == before


def test_an_output_directory_that_holds_another_run_is_left_alone(folder):
    assert_refused_and_nothing_lost(
        folder,
        "python src/train_hydra.py training.output_dir=./outputs/model",
        "holds another run",
        "resume_from_checkpoint=",
    )


def test_last_says_in_what_the_newest_run_differs(folder):
    (checkpoint,) = folder.resolve().glob("outputs/*/*/model/checkpoint-2")
    before = contents(folder)
    done = run(folder, f"{RESUME}last", f"{SMALL} training.seed=7")
    # The folder is a copy of the one that was trained in: the checkpoint named is the copy's.
    assert_refused(done, "differs in: seed", f"resume_from_checkpoint={checkpoint}")
    assert contents(folder) == before
