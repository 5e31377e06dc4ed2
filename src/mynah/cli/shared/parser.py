"""The arguments of a command; a mistake in them is answered as every other: what, where, fix."""

from __future__ import annotations

import argparse
import ast
import difflib
import re
import shlex
from typing import NoReturn

from mynah.cli.shared.exit_status import exit_status
from mynah.errors import UserError

_OF_ONE = re.compile(r"argument (?P<name>\S+): (?P<said>.*)", re.DOTALL)
_INVALID = re.compile(
    r"invalid (?P<kind>\w+)(?: value)?: (?P<value>'.*'|\".*\")(?: \(choose from .*\))?", re.DOTALL
)
_MISSING = re.compile(r"the following arguments are required: (?P<names>.*)", re.DOTALL)
_UNKNOWN = re.compile(r"unrecognized arguments: (?P<words>.*)", re.DOTALL)
_KINDS = {"int": "a whole number", "float": "a number", "number": "a number"}


class CommandParser(argparse.ArgumentParser):
    """As argparse's, which says what is wrong in its own way, behind all flags of the command."""

    def error(self, message: str) -> NoReturn:
        """End the command with exit status 2 and a message.

        Args:
            message: What argparse says.
        """

        def refuse() -> None:
            raise self._mistake(message)

        self.exit(exit_status(refuse))

    def _mistake(self, message: str) -> UserError:
        """What argparse says, in terms of what was typed."""
        more = f"{self.prog} --help  shows what it takes"
        if found := _OF_ONE.fullmatch(message):
            return self._value_mistake(found["name"], found["said"], more)
        if found := _MISSING.fullmatch(message):
            return UserError(f"What is missing: {found['names']}.", where=self.prog, fix=more)
        if found := _UNKNOWN.fullmatch(message):
            word, *_ = found["words"].split() or ["''"]  # an empty one, as of "$UNSET"
            flags = [flag for action in self._actions for flag in action.option_strings]
            near = difflib.get_close_matches(word.partition("=")[0], flags, n=1)
            return UserError(
                f"{self.prog} takes no {word}.",
                where=f"{self.prog} {found['words'].strip() or word}",
                fix=near[0] if near else more,
            )
        return UserError(f"{message[:1].upper()}{message[1:]}.", where=self.prog, fix=more)

    def _value_mistake(self, name: str, said: str, more: str) -> UserError:
        """What is wrong with the value of one argument."""
        action = next((one for one in self._actions if name in _names_of(one)), None)
        flag = action.option_strings[-1] if action is not None and action.option_strings else ""
        where = f"{self.prog} {flag}".rstrip()
        default = action.default if action is not None else None
        has_one = isinstance(default, int | float | str) and not isinstance(default, bool)
        fix = f"{flag} {default}  is the default" if flag and has_one else more
        if action is None or not (found := _INVALID.fullmatch(said)):
            return UserError(f"{flag or name}: {said.rstrip('.')}.", where=where, fix=fix)
        value = str(ast.literal_eval(found["value"]))
        choices = [str(one) for one in action.choices or ()]
        takes = (
            f"one of {', '.join(choices)}"
            if choices
            else _KINDS.get(found["kind"], "another value")
        )
        if near := difflib.get_close_matches(value, choices, n=1):
            fix = f"{flag or self.prog} {near[0]}"
        return UserError(
            f"{flag or name} takes {takes}, not {value!r}.",
            where=f"{where} {shlex.quote(value)}",
            fix=fix,
        )


def _names_of(action: argparse.Action) -> list[str]:
    """How argparse calls an argument in its messages."""
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    return [name for name in ("/".join(action.option_strings), metavar, action.dest) if name]
