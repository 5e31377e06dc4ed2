"""Folders with names that a tool on the way cannot take are said, and never a traceback."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from data_helpers import write_folder

from mynah.cli.main import main
from mynah.config.hydra.compose import compose

LONG = "x" * 4000


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", f"training.output_dir={LONG}"],
        ["train", f"resume_from_checkpoint={LONG}"],
        ["train", f"+experiments={LONG}"],
        ["eval", LONG],
        ["data", "prepare", LONG],
        ["data", "prepare", f"data.dataset_name=./{LONG}"],
    ],
    ids=lambda arguments: " ".join(arguments)[:30],
)
def test_a_path_of_4000_letters_is_one_short_message(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "longer than the system allows" in said and "Traceback" not in said
    assert len(said) < 1000 and len(said.splitlines()) <= 4
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("name", [b"a${b}c", b"caf\xe9"])
def test_a_folder_that_no_run_can_be_in_is_said_before_one_is_claimed(
    tmp_path, monkeypatch, capsys, name
):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert main(["train", "model=small"]) == 2
    said = capsys.readouterr().err
    assert "The path of this folder" in said and "rename the folder" in said
    assert "Traceback" not in said
    assert list(folder.iterdir()) == []


def test_a_reference_that_was_meant_as_a_name_says_how_to_write_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "co${u}r", [("a.wav", "one two", "s1")])
    assert main(["train", "data.dataset_name=./co${u}r"]) == 2
    said = capsys.readouterr().err
    typed = shlex.split(said.partition("with a backslash: ")[2])[0]
    assert compose([typed]).config.data.dataset_name == "./co${u}r"
