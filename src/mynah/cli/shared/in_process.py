"""A run inside a Python process: what `mynah train` and `mynah eval` do, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mynah import distributed
from mynah.errors import UserError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from mynah.run import Run


def run_in_process(arguments: Sequence[str], program: str) -> Run:
    """Compose, check, claim a directory and run, as the command line does.

    Args:
        arguments: Settings as ``mynah train`` takes them.
        program: What is called, for messages.

    Raises:
        UserError: Anything that is the user's to fix; a sweep is not one run.
        KeyboardInterrupt: The run was interrupted where it writes no checkpoint.
    """
    import hydra

    from mynah.cli.shared.command_line import CommandLine
    from mynah.cli.shared.job import run_composed
    from mynah.config.hydra.compose import CONFIG_NAME, VERSION_BASE
    from mynah.config.hydra.search_path import shipped_configs

    runs: list[Run] = []

    @hydra.main(
        config_path=str(shipped_configs()), config_name=CONFIG_NAME, version_base=VERSION_BASE
    )
    def task(config: DictConfig) -> None:
        runs.append(run_composed(config))

    flags = [one for one in arguments if one.startswith("-")]
    if flags:
        raise UserError(
            f"From Python there are settings alone, and no flags as {flags[0]}.",
            where=program,
            fix="type flags on the command line: mynah train --help",
        )
    distributed.quiet_torch()
    CommandLine(list(arguments), program).run(task)
    return runs[0]


def evaluate_in_process(arguments: Sequence[str], program: str) -> Run:
    """Measure a checkpoint, as ``mynah eval`` does.

    Args:
        arguments: The checkpoint, a corpus where another is meant, and settings.
        program: What is called, for messages.

    Raises:
        UserError: Anything that is the user's to fix.
    """
    from mynah.cli.eval import as_settings

    return run_in_process(as_settings(arguments), program)
