"""``mynah runs remove``: remove runs that nothing builds on, once a person has agreed."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser
from mynah.errors import UserError

_COMMAND = "mynah runs remove"
_FOLDER = "outputs"
_EPILOG = """\
examples:
  mynah runs remove outputs/2026-11-22/14-03-11
  mynah runs remove outputs/2026-11-22/14-03-11 outputs/2026-11-22/15-10-02 --yes
"""


def main(arguments: Sequence[str]) -> int:
    """Remove runs.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_args(arguments)
    return exit_status(lambda: _remove(parsed))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog=_COMMAND,
        allow_abbrev=False,
        description="Remove runs with their checkpoints, after a question. A run is not removed "
        "while it runs, here or on another machine, where outputs/model points to it, where it is "
        "a job of a sweep, or where another run or model was resumed from it, adapts it, was "
        "merged from it or measures it.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EPILOG,
    )
    add = made.add_argument
    add("runs", nargs="+", metavar="RUN", help="a run's directory")
    add(
        "--folder",
        metavar="FOLDER",
        default=_FOLDER,
        help="where what may build on them lies (default: outputs)",
    )
    add(
        "--ended",
        action="store_true",
        help="runs of other machines have ended, though they are listed as running: a machine "
        "that is gone could not say so",
    )
    add("--yes", action="store_true", help="do not ask")
    return made


def _remove(parsed: argparse.Namespace) -> None:
    from mynah import console
    from mynah.runs.listing import read_run
    from mynah.runs.removal import check_removable, remove_runs, shown_run, size_of

    runs = [Path(typed).expanduser() for typed in dict.fromkeys(parsed.runs)]
    folder = Path(parsed.folder).expanduser()
    check_removable(runs, folder, ended=parsed.ended)
    size = sum(size_of(run) for run in runs)
    for run in runs:
        console.say(f"{shown_run(read_run(run))}")
    what = "this run" if len(runs) == 1 else f"these {len(runs)} runs"
    if not parsed.yes:
        if not sys.stdin.isatty():
            raise UserError(
                "Nobody can be asked here whether to remove it.",
                where=_COMMAND,
                fix=shlex.join([*_COMMAND.split(), *map(str, runs), *_flags(parsed), "--yes"]),
            )
        answer = input(f"Remove {what}, {size / 1e6:,.1f} MB, for good? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            console.say("Nothing was removed.")
            return
    remove_runs(runs)
    console.say(f"Removed {what}, {size / 1e6:,.1f} MB.")


def _flags(parsed: argparse.Namespace) -> list[str]:
    """What else was typed."""
    folder = ["--folder", parsed.folder] if parsed.folder != _FOLDER else []
    return [*folder, *(["--ended"] if parsed.ended else [])]
