"""``mynah jobs cancel``: take jobs out of the queue, or end them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser
from mynah.errors import UserError

_COMMAND = "mynah jobs cancel"


def main(arguments: Sequence[str]) -> int:
    """Cancel jobs.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_args(arguments)
    return exit_status(lambda: _cancel(parsed.jobs))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog=_COMMAND,
        allow_abbrev=False,
        description="Cancel jobs. A training that runs saves first, as far as the cluster lets it "
        "(KillWait); of a sweep, the job that writes its table is cancelled too.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n  mynah jobs cancel 4711\n  mynah jobs cancel 4712_3 4712_5\n"
        "  mynah jobs cancel ray3\n",
    )
    made.add_argument("jobs", nargs="+", metavar="JOB", help="their ids, as 4711, 4712_3 or ray3")
    return made


def _cancel(jobs: Sequence[str]) -> None:
    from mynah import console
    from mynah.config.schema.launch import RAY
    from mynah.launching import listing, records, slurm
    from mynah.launching.on_ray import process

    here = Path.cwd()
    numbers: list[str] = []
    for job in jobs:
        record, task = records.named(job, here)
        listed = listing.listed([record])[0]
        if not listed.is_there:
            console.say(f"Job {job} has ended already: {listed.state}.")
        elif record.launcher == RAY:
            if task is not None:
                raise UserError(
                    f"{job} is one of the jobs of a sweep, which ends as a whole.",
                    where=f"{_COMMAND} {job}",
                    fix=f"{_COMMAND} {record.id}; the same command again runs what is missing",
                )
            process.cancel(record)
            console.say(f"Job {job} is asked to save and end: mynah jobs log {job} --follow")
        else:
            numbers.append(job)
            if record.tasks and task is None:
                numbers += [one.id for one in records.submitted(here) if one.follows == record.id]
    if numbers:
        slurm.cancel(*numbers)
    for number in numbers:
        console.say(f"Job {number} is cancelled.")
