"""``mynah jobs``: what was submitted to a cluster, its state, its log, its end."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mynah.cli.shared.commands import Command, listed, run_command
from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser

_COMMAND = "mynah jobs"
ACTIONS = {
    "log": Command("mynah.cli.jobs_log", "what a job prints"),
    "cancel": Command("mynah.cli.jobs_cancel", "cancel jobs"),
    "table": Command("mynah.cli.jobs_table", "the table of a submitted sweep, as far as it is"),
}
_EPILOG = f"""\
actions:
{listed(ACTIONS)}

examples:
  mynah jobs                       those submitted from this folder, the newest first
  mynah jobs log 4711 --follow     until the job ends
  mynah jobs log 4712_3            task 3 of an array
  mynah jobs log ray3              a job on Ray
  mynah jobs cancel 4711 4712_3
"""


def main(arguments: Sequence[str]) -> int:
    """List jobs, or run one action.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    if arguments and not arguments[0].startswith("-"):
        return run_command(ACTIONS, arguments, _COMMAND, "action")
    parser().parse_args(arguments)
    return exit_status(_list)


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    return CommandParser(
        prog=_COMMAND,
        allow_abbrev=False,
        usage=f"{_COMMAND} [-h] [ACTION ...]",
        description="The jobs that commands with launch=slurm or launch=ray made from this folder: "
        "state, time, run. What the cluster has forgotten is as the run wrote it.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EPILOG,
    )


def _list() -> None:
    from mynah import console
    from mynah.files import display_path
    from mynah.launching import listing, records

    jobs = listing.listed(records.submitted(Path.cwd()))
    if not jobs:
        console.say(
            "No job was submitted from this folder: mynah train launch=slurm  (or launch=ray) "
            "makes one."
        )
        return
    rows = []
    for job in jobs:
        state = f"{job.state} ({job.reason})" if job.reason else job.state
        place = display_path(Path(job.record.directory))
        rows.append([job.record.id, job.record.what, state, job.elapsed, place])
    console.table("Jobs, the newest first", ["job", "what", "state", "elapsed", "run"], rows)
