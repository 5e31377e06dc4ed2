"""What a corpus holds cannot play with the terminal that it is shown in."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from mynah import console
from mynah.cli.shared.exit_status import exit_status
from mynah.console import visible
from mynah.errors import UserError

EVIL = "\x1b[2Jred\x07\x9b31m\r"
FULL = Path("/dev/full")
SHOWN = "␛[2Jred␇\\x9b31m␍"


def test_control_characters_are_shown_and_do_nothing():
    assert visible(EVIL) == SHOWN
    assert visible("grün\tgelb\nзелёный 東京") == "grün\tgelb\nзелёный 東京"


def test_a_name_cannot_turn_the_direction_of_what_follows_it():
    assert visible("evil\u202egnp.exe \u2066x\u2069") == "evil\\u202egnp.exe \\u2066x\\u2069"
    assert visible("שלום \u200fעולם") == "שלום \u200fעולם"


def test_nothing_that_is_said_reaches_the_terminal_with_control_characters(
    capsys: pytest.CaptureFixture[str],
):
    def fail() -> None:
        raise UserError(f"wrong: {EVIL}", where=EVIL)

    console.say(EVIL)
    console.notice(EVIL)
    console.table(EVIL, ["one"], [[EVIL]])
    assert exit_status(fail) == 2
    said = capsys.readouterr()
    assert said.out.count("␛[2J") == 4 and said.err.count("␛[2J") == 2
    assert not set(said.out + said.err) & set("\x1b\x07\x9b\r")


ROWS = [
    ["validation.clean", "2,703", "8.45 [7.38, 9.66]", "235/28/22", "openai/whisper-large-v3"],
    ["東京 спасибо", "12", "103.25 [98.00, 110.31]", "1,235/28/22", "with [brackets] in it"],
    ["test", "480", "", "0/0/0", ""],
]
COLUMNS = ["split", "utterances", "WER %", "S/D/I", "model and decoding"]


@pytest.mark.parametrize("width", [1, 2, 7, 20, 40, 60, 80, 100, 200])
def test_a_table_breaks_no_word_and_no_number_at_any_width(width, monkeypatch, capsys):
    monkeypatch.setattr(console.console(), "width", width)
    console.table("Error rates with 95 % intervals", COLUMNS, ROWS)
    said = capsys.readouterr().out
    shown = set(said.replace("│", " ").replace("┃", " ").split())
    for cell in (cell for row in ROWS for cell in row):
        assert set(cell.split()) <= shown
    assert "95 % intervals" in said and "…" not in said


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_table_is_not_wider_than_the_screen(width, monkeypatch, capsys):
    monkeypatch.setattr(console.console(), "width", width)
    console.table("", COLUMNS, ROWS)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(cell_len, lines)) <= width


def test_a_table_that_fits_when_its_texts_wrap_stays_a_table_and_else_is_a_list(
    monkeypatch, capsys
):
    rows = [["device", "one two three four five six seven"], ["steps", "1,400 of 835"]]
    monkeypatch.setattr(console.console(), "width", 26)
    console.table("", ["what", "how much"], rows)
    lines = capsys.readouterr().out.splitlines()
    assert all(line[0] in "┏┃┡│└" and cell_len(line) == 26 for line in lines)
    monkeypatch.setattr(console.console(), "width", 16)
    console.table("", ["what", "how much"], rows)
    assert capsys.readouterr().out.splitlines() == [
        "what: device",
        "  how much: one",
        "    two three",
        "    four five",
        "    six seven",
        "what: steps",
        "  how much:",
        "    1,400 of 835",
    ]


def closed_pipe():
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "w")


@pytest.mark.skipif(not FULL.exists(), reason="there is no full device")
@pytest.mark.parametrize("screen", [closed_pipe, lambda: FULL.open("w"), lambda: None])
def test_a_screen_that_is_gone_ends_nothing_and_the_log_goes_on(monkeypatch, caplog, screen):
    monkeypatch.setattr(console.console(), "_file", console._Screen())
    caplog.set_level(logging.INFO, logger="mynah")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", screen())
        console.say("one")
        console.notice("two")
        console.table("three", ["four"], [["five"]])
        with console.progress("six", 1) as advance:
            advance()
        if sys.stdout is not None:
            sys.stdout.close()  # as at the end of a process: nothing is left that cannot be written
    said = [record.getMessage() for record in caplog.records if "any more" not in record.message]
    assert said == ["one", "two", "three", "  four", "  five"]


@pytest.mark.skipif(not FULL.exists(), reason="there is no full device")
@pytest.mark.parametrize(("screen", "status"), [(closed_pipe, 0), (lambda: FULL.open("w"), 2)])
def test_a_table_that_a_full_disk_does_not_take_is_not_said_to_be_done(
    monkeypatch, capfd, screen, status
):
    monkeypatch.setattr(console.console(), "_file", gone := console._Screen())
    monkeypatch.setattr(console, "_screen", gone)
    monkeypatch.setattr(logging.getLogger("mynah"), "handlers", [])
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", screen())
        assert exit_status(lambda: console.say("one")) == status
        sys.stdout.close()
    assert ("No space left on device" in capfd.readouterr().err) == (status == 2)
