"""Folders whose names hold ``${`` are folders like any other, in every command."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from workspaces import SMALL, clone, run, run_directories

sys.path.insert(0, str(Path(__file__).parents[1]))

from shard_files import write_manifest

SECRET = "a word that stands in no file"
TEXTS = ["abc", "bcd", "cde", "def", "efg", "fgh", "acegb", "hgfed"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A training of a corpus, into a folder, in a folder, each with ``${`` in its name."""
    folder = clone(tmp_path_factory.mktemp("places") / "a${oc.env:MYNAH_SECRET}b")
    for split, rows in (("train", TEXTS * 3), ("validation", TEXTS[:4])):
        ids = [f"{split}{number}" for number in range(len(rows))]
        write_manifest(folder / "co${u}r" / f"{split}.jsonl", ids, rows)
    done = command(
        folder,
        "mynah train model=small 'data.dataset_name=./co${u}r' data.sample_rate=8000 "
        f"'training.output_dir=./o${{z}}ut' {SMALL}",
    )
    return folder, done


def command(folder, text, suffix=""):
    done = run(folder, text, suffix, MYNAH_SECRET=SECRET)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert SECRET not in said and "Traceback" not in said
    return said


def test_a_training_runs_there_and_writes_to_the_folder_that_was_named(trained):
    folder, said = trained
    assert "Done in" in said
    assert (folder / "o${z}ut" / "checkpoint-2" / "SHA256SUMS").is_file()
    (directory,) = run_directories(folder)
    assert (directory / "evaluation" / "report.html").is_file()
    assert (directory / "train.log").is_file()
    assert (folder / "outputs" / "model").resolve() == (folder / "o${z}ut").resolve()
    written = "".join(
        path.read_text(errors="replace")
        for path in folder.rglob("*")
        if path.suffix in (".json", ".yaml", ".log", ".html") and path.is_file()
    )
    assert SECRET not in written


def test_its_model_is_measured_and_its_corpus_prepared(trained):
    folder, _ = trained
    said = command(folder, "mynah eval './o${z}ut/checkpoint-2'", "evaluation.bootstrap_samples=20")
    assert "validation" in said
    assert "train (training)" in command(folder, "mynah data prepare './co${u}r' model=small")


@pytest.mark.long
def test_it_is_resumed_there(trained):
    folder, _ = trained
    said = command(
        folder,
        "mynah train model=small 'data.dataset_name=./co${u}r' data.sample_rate=8000 "
        f"'training.output_dir=./o${{z}}ut' {SMALL} training.max_steps=4 "
        "resume_from_checkpoint=last",
    )
    assert f"Resuming from {os.path.realpath(folder)}" in said
    assert (folder / "o${z}ut" / "checkpoint-4").is_dir()
