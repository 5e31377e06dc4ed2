"""The settings that a command's arguments name, composed and checked as a training's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mynah.command_line import CommandLine
from mynah.config.checks import check
from mynah.config.compose import Composed, compose
from mynah.config.errors import ConfigErrors
from mynah.config.values import argument


def read_settings(arguments: Sequence[str], command: str) -> Composed:
    """Compose ``key=value``, ``group=option`` and ``+experiments=name`` as ``mynah train`` does.

    An argument that is a folder or a file here stands for ``data.dataset_name=PATH``.

    Args:
        arguments: What was typed, without flags.
        command: How the command is typed, for messages, as ``mynah data inspect``.

    Raises:
        UserError: A mistake in the configuration.
    """
    overrides = [
        argument("data.dataset_name", text) if _is_path(text) else text for text in arguments
    ]
    try:
        composed = compose(overrides)
        check(composed.config, composed.origins)
    except ConfigErrors as problem:
        raise CommandLine(overrides, command).with_command(problem.errors) from problem
    return composed


def _is_path(text: str) -> bool:
    return not text.startswith(("-", "+", "~")) and "=" not in text and Path(text).exists()
