"""``mynah runs tag``: what people say of a run, kept beside it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser

_COMMAND = "mynah runs tag"
_EPILOG = """\
examples:
  mynah runs tag outputs/2026-11-22/14-03-11 good demo
  mynah runs tag outputs/2026-11-22/14-03-11 --note "numbers are better"
  mynah runs tag outputs/2026-11-22/14-03-11 --untag demo
"""


def main(arguments: Sequence[str]) -> int:
    """Tag a run.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_args(arguments)
    return exit_status(lambda: _tag(parsed))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog=_COMMAND,
        allow_abbrev=False,
        description="Give a run tags and a note, which `mynah runs` shows; they are kept in "
        "notes.json beside its run.json.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EPILOG,
    )
    add = made.add_argument
    add("run", help="the run's directory")
    add("tags", nargs="*", metavar="TAG", help="tags that it gets")
    add("--untag", metavar="TAG", action="append", default=[], help="a tag that it loses")
    add("--note", metavar="TEXT", help='its note, in place of the one it has; "" removes it')
    return made


def _tag(parsed: argparse.Namespace) -> None:
    from mynah import console
    from mynah.runs.notes import change_notes

    run = Path(parsed.run).expanduser()
    found = change_notes(run, add=parsed.tags, remove=parsed.untag, note=parsed.note)
    console.say(f"{run}: {', '.join(found.tags) or 'no tags'}")
    if found.note:
        console.say(f"  {found.note}")
