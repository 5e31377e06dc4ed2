"""``mynah migrate FILE.json``: a legacy JSON file as the experiment YAML that means the same."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Write the experiment.

    Returns:
        The exit status (see ``mynah.cli.exit_status``).
    """
    from mynah.cli.exit_status import exit_status
    from mynah.config.legacy import migrate

    if any(token in ("--help", "-h") for token in arguments):
        print(migrate.USAGE)
        return 0
    return exit_status(lambda: migrate.migrate(arguments))
