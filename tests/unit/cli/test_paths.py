"""Folders with names that a tool on the way cannot take are said, and never a traceback."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from data_helpers import write_folder, write_tone

from mynah.cli.main import main
from mynah.config.hydra.compose import compose
from mynah.data.audio import files

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


def test_a_folder_that_no_run_can_be_in_is_said_before_one_is_claimed(
    tmp_path, monkeypatch, capsys
):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert main(["train", "model=small"]) == 2
    said = capsys.readouterr().err
    assert "The path of this folder" in said and "rename the folder" in said
    assert "Traceback" not in said
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "typed",
    [
        ["train", "model=small", "data.dataset_name=PLACE"],
        ["train", "model=small", "training.output_dir=PLACE"],
        ["train", "model=small", "resume_from_checkpoint=PLACE"],
        ["eval", "PLACE"],
        ["data", "prepare", "PLACE"],
        ["data", "inspect", "PLACE"],
    ],
    ids=" ".join,
)
def test_a_name_that_is_not_utf_8_is_said_with_what_renames_it(
    tmp_path, monkeypatch, capsys, typed
):
    monkeypatch.chdir(tmp_path)
    place = os.fsdecode(b"./caf\xe9")
    (tmp_path / place).mkdir()
    assert main([word.replace("PLACE", place) for word in typed]) == 2
    said = capsys.readouterr().err
    assert "is not UTF-8" in said and "convmv" in said and "Traceback" not in said
    assert len(said.splitlines()) <= 4 and not (tmp_path / "outputs").exists()


def test_a_recording_whose_name_is_not_utf_8_says_so_where_it_is_read(tmp_path):
    write_tone(tmp_path / "a.wav")
    path = (tmp_path / "a.wav").rename(tmp_path / os.fsdecode(b"caf\xe9.wav"))
    for reading in (lambda: files.probe(path), lambda: files.read(path, 16000)):
        with pytest.raises(ValueError, match=r"its name is not UTF-8; rename it \(convmv"):
            reading()


@pytest.mark.parametrize("written", ["./co${u}r", "./co${training.seed}r", "./co${oc.env:HOME}r"])
def test_a_folder_that_is_there_is_meant_by_its_name(tmp_path, monkeypatch, written):
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / written, [("a.wav", "one two", "s1")])
    for setting in ("data.dataset_name", "data.path"):
        data = compose([f"{setting}={written}"]).config.data
        assert written in (data.dataset_name, data.path)


def test_what_is_not_there_is_a_reference_where_it_can_be_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MYNAH_PLACE", "there")
    for written, meant in (
        ("training.output_dir=./o${training.seed}", "./o42"),
        ("training.output_dir=./o${oc.env:MYNAH_PLACE}", "./othere"),
        ("training.output_dir=./o${none}", "./o${none}"),
        (r"training.output_dir=./o\${training.seed}", "./o${training.seed}"),
    ):
        assert compose([written]).config.training.output_dir == meant
