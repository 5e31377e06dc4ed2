"""``mynah average``: several checkpoints of one model as one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mynah.cli.shared.adapters import free_folder, intact_checkpoint, typed_folder
from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser
from mynah.errors import UserError
from mynah.files import display_path

_COMMAND = "mynah average"


def main(arguments: Sequence[str]) -> int:
    """Average checkpoints.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_args(arguments)
    return exit_status(lambda: average(parsed.checkpoints, parsed.to, parsed.offline))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog=_COMMAND,
        allow_abbrev=False,
        description="Average the weights of checkpoints of one training, or of trainings that "
        "began with the same weights: in float64, with the buffers of the last one named. Of LoRA "
        "what the matrices come to is averaged, as an adapter of the sum of the ranks.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=(
            "examples:\n"
            "  mynah average outputs/model/checkpoint-800 outputs/model/checkpoint-1000 --to both\n"
            "  mynah eval ./both                                measure it\n"
            "\n"
            "`training.average_checkpoints=5` does it at the end of a training, with the best."
        ),
    )
    made.add_argument("checkpoints", nargs="+", help="two or more, the last one's buffers count")
    made.add_argument(
        "--to", required=True, metavar="DIR", help="the folder to write; it must not be there yet"
    )
    made.add_argument(
        "--offline", action="store_true", help="use no weights that are not on this machine"
    )
    return made


def average(checkpoints: Sequence[str], to: str, offline: bool = False) -> Path:
    """Write the average of checkpoints.

    Args:
        checkpoints: Checkpoints, runs' directories, or links to them.
        to: The folder to write.
        offline: Load nothing that is not on this machine.

    Returns:
        The folder, which is complete where it is there.

    Raises:
        UserError: The folder is there already, there is one checkpoint alone, one is damaged,
            they are not of one model, or the disk is full.
    """
    target = free_folder(Path(to).expanduser(), "average")
    if len(checkpoints) < 2:
        raise UserError(
            "An average needs two checkpoints at least.",
            where=checkpoints[0],
            fix=f"{_COMMAND} CHECKPOINT ANOTHER --to {to}",
        )
    sources = [intact_checkpoint(one, _COMMAND) for one in checkpoints]

    from mynah import console
    from mynah.checkpoints import averaging
    from mynah.models import registry

    registry.check_checkpoint(sources[-1], offline=offline)
    family = registry.load_family(sources[-1], offline=offline)
    averaging.average_checkpoints(sources, target, family=family)
    console.say(f"Averaged {len(sources)} checkpoints into {display_path(target)}")
    console.say(f"Next: measure it with  mynah eval {typed_folder(target)}")
    return target
