"""``mynah jobs log``: what a job prints."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser
from mynah.errors import UserError
from mynah.files import display_path

_COMMAND = "mynah jobs log"
_POLL_SECONDS = 1.0
_ASK_SECONDS = 15.0  # between two questions to the cluster whether the job is still there


def main(arguments: Sequence[str]) -> int:
    """Print a job's log.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_args(arguments)
    return exit_status(lambda: _print_log(parsed))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog=_COMMAND,
        allow_abbrev=False,
        description="Print the last lines of what a job prints.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n  mynah jobs log 4711\n  mynah jobs log 4711 --follow\n"
        "  mynah jobs log 4712_3 --lines 5\n",
    )
    made.add_argument("job", help="its number; of a sweep with the job's own, as 4712_3")
    made.add_argument("--follow", action="store_true", help="until the job ends, or Ctrl-C")
    made.add_argument("--lines", type=int, default=40, help="how many (default: 40)")
    return made


def _print_log(parsed: argparse.Namespace) -> None:
    from mynah.launching import records

    record, task = records.named(parsed.job, Path.cwd())
    if record.tasks and task is None:
        first = next(iter(record.tasks))
        raise UserError(
            f"Job {record.id} is a sweep of {len(record.tasks)} jobs, each with a log of its own.",
            where=display_path(Path(record.directory)),
            fix=f"{_COMMAND} {record.id}_{first}",
        )
    log = Path(record.tasks[task], "job.log") if task is not None else Path(record.log)
    if not log.is_file() and not parsed.follow:
        raise UserError(
            f"Job {parsed.job} has printed nothing yet.",
            where=display_path(log),
            fix=f"mynah jobs  shows its state; {_COMMAND} {parsed.job} --follow  waits for it",
        )
    shown = _print_end(log, parsed.lines) if log.is_file() else 0
    if parsed.follow:
        _follow(log, shown, parsed.job)


def _print_end(log: Path, lines: int) -> int:
    """Print the last lines of a file; how many bytes it has."""
    content = log.read_bytes()
    kept = content.decode("utf-8", errors="replace").splitlines(keepends=True)[-max(lines, 0) :]
    sys.stdout.write("".join(kept if lines > 0 else []))
    sys.stdout.flush()
    return len(content)


def _follow(log: Path, shown: int, job: str) -> None:
    """Print what is added to a log until its job has ended."""
    from mynah.launching import listing, records

    asked = 0.0
    while True:
        ended = False
        if time.monotonic() - asked >= _ASK_SECONDS:
            record, _ = records.named(job, Path.cwd())
            ended = not listing.listed([record])[0].is_there
            asked = time.monotonic()
        if log.is_file() and log.stat().st_size > shown:
            with log.open("rb") as file:
                file.seek(shown)
                added = file.read()
            shown += len(added)
            sys.stdout.write(added.decode("utf-8", errors="replace"))
            sys.stdout.flush()
        if ended:
            return
        time.sleep(_POLL_SECONDS)
