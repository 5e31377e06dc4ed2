"""The table of commands: what is listed, and what a mistyped name is answered."""

from __future__ import annotations

import pytest

from mynah.cli.main import COMMANDS, main


def test_every_command_is_listed_with_what_it_does(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name, command in COMMANDS.items():
        assert f"  {name} " in shown and command.help in shown


@pytest.mark.parametrize(
    ("typed", "meant"),
    [(["trian"], "mynah train"), (["data", "prepair"], "mynah data prepare")],
)
def test_a_mistyped_command_is_answered_with_the_nearest(typed, meant, capsys):
    assert main(typed) == 2
    assert f"fix: {meant}" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("path", ["a=b", "runs/a=b"])
def test_eval_takes_a_path_with_an_equals_sign_for_a_checkpoint(
    path, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert main(["eval", path]) == 2
    assert f"There is no checkpoint {path}." in capsys.readouterr().err
    assert main(["eval", "modle=small"]) == 2  # a group, mistyped
    said = capsys.readouterr().err
    assert "There is no group or setting modle. Nearest: model." in said
    assert "model=small" in said.partition("run: ")[2]
    assert main(["eval", "model=small"]) == 2
    said = capsys.readouterr().err
    assert "Which checkpoint is to be measured?" in said
    assert "mynah eval outputs/model model=small" in said


@pytest.mark.parametrize("command", [*COMMANDS, "data prepare", "data inspect"])
def test_every_command_has_a_help_of_its_own(command, capsys):
    try:
        status = main([*command.split(), "--help"])
    except SystemExit as ended:
        status = ended.code
    assert status == 0
    assert f"mynah {command.split()[0]}" in capsys.readouterr().out
