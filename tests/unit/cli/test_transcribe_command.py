"""What `mynah transcribe` does with a place to write to, before it looks for a model."""

from __future__ import annotations

import shlex

import pytest

from mynah import console
from mynah.cli import transcribe
from mynah.cli.main import main
from mynah.errors import UserError


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mynah.inference.load.default_model", lambda folder: pytest.fail("loaded"))
    (tmp_path / "calls").mkdir()
    for name in ("call.wav", "other.wav", "calls/call.wav"):
        (tmp_path / name).write_bytes(b"")
    yield
    console.use_stderr(False)  # the command prints to standard error from then on


@pytest.mark.parametrize(
    ("arguments", "run"),
    [
        ("call.wav --to x.docx", "call.wav --to x.txt"),
        ("call.wav --to=x.docx", "call.wav --to=x.txt"),
        ("call.wav --to made/x.textgird", "call.wav --to made/x.TextGrid"),
        ("call.wav --to x.stm --format ctm", "call.wav --to x.ctm --format ctm"),
        ("call.wav --to x.docx --format srt,vtt", "call.wav --to x --format srt,vtt"),
        ("call.wav other.wav --to x.srt", "call.wav other.wav --to x --format srt"),
        ("calls --to 'my x.docx'", "calls --to 'my x'"),
    ],
)
def test_a_name_of_another_format_is_refused_with_the_command(arguments, run, tmp_path, capsys):
    assert main(["transcribe", *shlex.split(arguments)]) == 2
    err = capsys.readouterr().err
    assert err.splitlines()[-1] == f"  run:   mynah transcribe {run}"
    assert len(err.splitlines()) == 3
    assert {path.name for path in tmp_path.iterdir()} == {"call.wav", "other.wav", "calls"}


def test_all_formats_are_named(capsys):
    assert main(["transcribe", "call.wav", "--to", "x.docx"]) == 2
    assert ".txt, .json, .srt, .vtt, .ctm, .TextGrid, .tsv" in capsys.readouterr().err


@pytest.mark.parametrize("to", ["calls", "out", "out.d", "2026.11", "x.docx/", "x.SRT", "~/x.vtt"])
def test_a_folder_and_a_file_of_a_format_are_taken(to, monkeypatch):
    def stop(request, spread):
        raise UserError("It got that far.")

    monkeypatch.setattr("mynah.inference.transcribe.transcribe", stop)
    with pytest.raises(UserError, match="that far"):
        transcribe._transcribe(
            transcribe.parser().parse_args(["call.wav", "--to", to]), ["call.wav", "--to", to]
        )
