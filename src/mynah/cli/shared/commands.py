"""A table of commands: which module runs each, and what is printed of them all."""

from __future__ import annotations

import difflib
import functools
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mynah.config.garbage import uncollected
from mynah.errors import UserError


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        module: Has a function ``main(arguments) -> exit status``; imported when it is run.
        help: What it does, in a line.
    """

    module: str
    help: str


def run_command(
    commands: Mapping[str, Command], arguments: Sequence[str], program: str, what: str = "command"
) -> int:
    """Run the command that the first argument names.

    Args:
        commands: By name.
        arguments: The name, and the command's own arguments.
        program: What was typed before it, as ``mynah data``.
        what: What one of them is called in messages.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    with uncollected():
        from mynah.cli.shared.exit_status import exit_status
        from mynah.cli.shared.places import check_flags, check_sources

    name, *rest = arguments
    if name not in commands:
        return exit_status(lambda: _unknown(name, commands, program, what))
    try:
        check_flags(rest)
        check_sources(name, rest)
    except UserError as problem:
        return exit_status(functools.partial(_refuse, problem))
    return int(importlib.import_module(commands[name].module).main(rest))


def _refuse(problem: UserError) -> None:
    raise problem


def listed(commands: Mapping[str, Command]) -> str:
    """The commands, a line each."""
    width = max(map(len, commands)) + 2
    return "\n".join(f"  {name:<{width}}{command.help}" for name, command in commands.items())


def _unknown(name: str, commands: Mapping[str, Command], program: str, what: str) -> None:
    near = difflib.get_close_matches(name, commands, n=1)
    raise UserError(
        f"There is no {what} {name!r}; there are: {', '.join(commands)}.",
        where=f"{program} {name}",
        fix=f"{program} {near[0]}" if near else f"{program} --help",
    )
