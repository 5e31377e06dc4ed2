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


MISTYPED = [
    (
        "data augment --epoch x",
        "--epoch takes a whole number, not 'x'.",
        "mynah data augment --epoch x",
        "mynah data augment --help",
    ),
    ("data augment --utterances 2.5", "not '2.5'", "--utterances 2.5", "--utterances 6  is"),
    ("data augment --utterances", "--utterances: expected", "augment --utterances", "6  is the"),
    (
        "score a b --normalizer basik",
        "--normalizer takes one of none, basic, whisper_basic, whisper_english, not 'basik'.",
        "mynah score --normalizer basik",
        "--normalizer basic",
    ),
    ("serve m --port 99999", "'99999' is not a port", "mynah serve --port", "--port 8000  is"),
    ("average a b", "missing: --to", "mynah average", "mynah average --help"),
    ("runs --bset", "mynah runs takes no --bset.", "mynah runs --bset", "--best"),
    ("completion zhs", "shell takes one of bash", "completion zhs", "mynah completion zsh"),
    ("config explane", "ACTION takes one of explain, diff", "explane", "mynah config explain"),
]


@pytest.mark.parametrize(("typed", "what", "where", "fix"), MISTYPED, ids=lambda one: one[:30])
def test_a_mistyped_argument_is_answered_as_every_mistake(typed, what, where, fix, capsys):
    with pytest.raises(SystemExit) as ended:
        main(typed.split())
    assert ended.value.code == 2
    first, second, third = capsys.readouterr().err.splitlines()
    assert first.startswith("error: ") and what in first
    assert second.startswith("  where: mynah ") and where in second
    assert third.startswith("  fix:   ") and fix in third


def test_an_argument_that_is_empty_is_answered_too(capsys):
    """As a shell makes of "$UNSET"."""
    with pytest.raises(SystemExit) as ended:
        main(["completion", "bash", ""])
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: mynah completion takes no ''.",
        "  where: mynah completion ''",
        "  fix:   mynah completion --help  shows what it takes",
    ]


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("train", "eval")])
def test_every_command_answers_an_unknown_flag_in_the_same_way(command, capsys):
    try:
        status = main([command, "--nothing-of-the-kind"])
    except SystemExit as ended:
        status = ended.code
    said = capsys.readouterr().err
    assert status == 2 and said.startswith("error: ") and "usage:" not in said
