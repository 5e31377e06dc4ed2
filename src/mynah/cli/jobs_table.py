"""``mynah jobs table``: the table of a sweep whose jobs a cluster runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser

_COMMAND = "mynah jobs table"


def main(arguments: Sequence[str]) -> int:
    """Write a sweep's table.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``); jobs that failed are in the table.
    """
    parsed = parser().parse_args(arguments)
    return exit_status(lambda: _table(Path(parsed.sweep)))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog=_COMMAND,
        allow_abbrev=False,
        description="Print and write how the jobs of a sweep compare, as far as they have ended. "
        "The job that follows a sweep does this when all have.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n  mynah jobs table outputs/sweeps/learning_rate-1a2b3c4d\n",
    )
    made.add_argument("sweep", metavar="FOLDER", help="the sweep's folder")
    return made


def _table(folder: Path) -> None:
    from mynah.launching.sweep_table import write_table

    write_table(folder)
