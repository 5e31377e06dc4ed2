"""``mynah data prepare [FOLDER] [key=value ...]``: what a training does first, and no more."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser

if TYPE_CHECKING:
    from mynah.data.preparation.prepare import PreparedData
    from mynah.ranks.spread import Spread

_COMMAND = "mynah data prepare"


def main(arguments: Sequence[str]) -> int:
    """Prepare the corpora that the settings name, and show what became of them.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_intermixed_args(arguments)  # settings may stand between flags
    return exit_status(
        lambda: _prepare(parsed, arguments), requeues=lambda: _requeues(parsed.settings)
    )


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog=_COMMAND,
        description="Decode every recording once, filter, count and list what is left out. A "
        "training does the same by itself; what is prepared here is only opened there.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=(
            "examples:\n"
            "  mynah data prepare ./my_recordings\n"
            "  mynah data prepare data.dataset_name=an4 data.path=./an4 'data.eval_splits=[test]'\n"
            "  mynah data prepare ./calls launch=slurm launch.gpus_per_node=0\n"
            "  mynah data prepare ./calls data.num_proc=16 data.on_error=fail --to account\n"
        ),
    )
    made.add_argument(
        "settings", nargs="*", help="a folder, and settings as mynah train takes them"
    )
    made.add_argument("--to", metavar="DIR", help="write data.json and the rows left out there")
    return made


def prepared_corpora(
    settings: Sequence[str], command: str = _COMMAND, *, spread: Spread | None = None
) -> PreparedData:
    """The corpora that settings name, decoded and filtered, or opened where that was done.

    Args:
        settings: A folder, and settings as ``mynah train`` takes them.
        command: How it is typed, for messages.
        spread: Where recordings are decoded; None: here.

    Raises:
        UserError: A mistake in the settings or in a corpus.
    """
    from mynah.cli.shared.settings import read_settings
    from mynah.config.checkpointed import with_absolute_paths
    from mynah.data.preparation.prepare import prepare

    here = Path.cwd()
    config = with_absolute_paths(read_settings(settings, command, trains=False).config, here)
    return prepare(
        config.data, offline=config.offline, working_directory=here, tests=True, spread=spread
    )


def _requeues(settings: Sequence[str]) -> bool:
    from mynah.cli.shared.settings import read_settings

    composed = read_settings(settings, _COMMAND, trains=False, submits=True)
    return composed.config.training.requeue


def _prepare(parsed: argparse.Namespace, arguments: Sequence[str]) -> None:
    from mynah import console
    from mynah.cli.shared.settings import read_settings
    from mynah.cli.shared.submitted import spread_of, submit_in_one_process
    from mynah.config.schema.launch import LOCAL, is_launch

    composed = read_settings(parsed.settings, _COMMAND, trains=False, submits=True)
    launch = composed.config.launch
    if launch.launcher != LOCAL and not submit_in_one_process(
        "preparation", composed, ["data", "prepare"], arguments
    ):
        return

    from mynah.data.preparation.account import table_of_splits

    settings = [text for text in parsed.settings if not is_launch(text)]
    if launch.launcher != LOCAL and composed.config.data.num_proc is None:
        settings.append(f"data.num_proc={launch.cpus_per_process or 1}")
    with spread_of(launch, decodes_audio_alone=True) as spread:
        data = prepared_corpora(settings, spread=spread)
    table_of_splits(data.report)
    console.say(f"Prepared tables lie in {data.cache}")
    if parsed.to is not None:
        directory = Path.cwd() / Path(parsed.to).expanduser()
        directory.mkdir(parents=True, exist_ok=True)
        data.write(directory)
        console.say(f"The full account: {directory / 'data.json'}")
