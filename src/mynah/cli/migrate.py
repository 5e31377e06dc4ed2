"""``mynah migrate FILE.json``: a legacy JSON file as the experiment YAML that means the same."""

from __future__ import annotations

from collections.abc import Sequence

_HELP = """\
usage: mynah migrate FILE.json [-o FILE.yaml]

Write a legacy JSON config as an experiment that means the same, and say what became of each key.

options:
  -o FILE.yaml   the experiment to write (default: configs/hydra/experiments/NAME.yaml, by the name
                 of the JSON file); -o - prints it
  -h, --help     show this

examples:
  mynah migrate old.json -o -        print it
  mynah migrate old.json             write it; +experiments=old runs it"""


def main(arguments: Sequence[str]) -> int:
    """Write the experiment.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    from mynah.cli.shared.exit_status import exit_status
    from mynah.config.legacy import migrate

    if any(token in ("--help", "-h") for token in arguments):
        print(_HELP)
        return 0
    return exit_status(lambda: migrate.migrate(arguments))
