"""What a corpus holds cannot play with the terminal that it is shown in."""

from __future__ import annotations

import pytest

from mynah import console
from mynah.cli.exit_status import exit_status
from mynah.console import visible
from mynah.errors import UserError

EVIL = "\x1b[2Jred\x07\x9b31m\r"
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
