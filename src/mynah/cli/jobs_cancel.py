"""``mynah jobs cancel``: take jobs out of the queue, or end them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mynah.cli.shared.exit_status import exit_status

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
    made = argparse.ArgumentParser(
        prog=_COMMAND,
        allow_abbrev=False,
        description="Cancel jobs. A training that runs saves first, as far as the cluster lets it "
        "(KillWait); of a sweep, the job that writes its table is cancelled too.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n  mynah jobs cancel 4711\n  mynah jobs cancel 4712_3 4712_5\n",
    )
    made.add_argument("jobs", nargs="+", metavar="JOB", help="their numbers, as 4711 or 4712_3")
    return made


def _cancel(jobs: Sequence[str]) -> None:
    from mynah import console
    from mynah.launching import listing, records, slurm

    here = Path.cwd()
    numbers: list[str] = []
    for job in jobs:
        record, task = records.named(job, here)
        listed = listing.listed([record])[0]
        if not listed.is_there:
            console.say(f"Job {job} has ended already: {listed.state}.")
            continue
        numbers.append(job)
        if record.tasks and task is None:
            numbers += [one.id for one in records.submitted(here) if one.follows == record.id]
    if numbers:
        slurm.cancel(*numbers)
    for number in numbers:
        console.say(f"Job {number} is cancelled.")
