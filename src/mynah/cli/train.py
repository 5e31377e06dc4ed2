"""``mynah train [key=value ...]``: train, measure, write a report."""

from __future__ import annotations

from collections.abc import Sequence

from mynah.config.garbage import uncollected


def main(arguments: Sequence[str]) -> int:
    """Run a training or a sweep, by Hydra's grammar.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    with uncollected():
        from mynah.cli.shared.command_line import command_line
        from mynah.cli.shared.entry import job

    return command_line(job, arguments, "mynah train")
