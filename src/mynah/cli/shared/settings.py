"""The settings that a command's arguments name, composed and checked as a training's."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from mynah.cli.shared.command_line import CommandLine
from mynah.config.hydra.compose import Composed, compose
from mynah.config.schema.launch import LOCAL
from mynah.config.values import argument
from mynah.errors import ConfigErrors, UserError
from mynah.storage.address import is_address


def read_settings(
    arguments: Sequence[str], command: str, *, trains: bool = True, submits: bool = False
) -> Composed:
    """Compose ``key=value``, ``group=option`` and ``+experiments=name`` as ``mynah train`` does.

    An argument that is a folder or a file here stands for ``data.dataset_name=PATH``.

    Args:
        arguments: What was typed, without flags.
        command: How the command is typed, for messages, as ``mynah data inspect``.
        trains: Whether a training is what the settings are for.
        submits: Whether the command can be a job of a cluster.

    Raises:
        UserError: A mistake in the configuration, or a launcher of a command that runs here.
    """
    overrides = [
        argument("data.dataset_name", there(text, command)) if _is_path(text) else text
        for text in arguments
    ]
    try:
        composed = compose(overrides, trains=trains)
    except ConfigErrors as problem:
        raise CommandLine(overrides, command, trains=trains).with_command(
            problem.errors
        ) from problem
    launcher = composed.config.launch.launcher
    if launcher != LOCAL and not submits:
        raise UserError(
            f"{command} runs here, and is not submitted: that is for mynah train, eval, "
            "transcribe and data prepare.",
            where=f"launch={launcher}",
            fix="launch=local",
        )
    return composed


def _is_path(text: str) -> bool:
    """Whether an argument can only be a path: every setting has a ``=``."""
    is_home = text.startswith("~/")
    return (is_home or not text.startswith(("-", "+", "~"))) and (
        "=" not in text or Path(text).exists()
    )


def there(text: str, command: str) -> str:
    """A folder or a file that was typed, `~` written out; an address of storage as it is.

    Raises:
        UserError: It is not there; the nearest name is named.
    """
    if is_address(text):
        return text
    path = Path(text).expanduser()
    if path.exists():
        return str(path)
    beside = sorted(found.name for found in path.parent.glob("*") if not found.name.startswith("."))
    near = difflib.get_close_matches(path.name, beside, n=1)
    raise UserError(
        f"There is no folder and no file {text}.",
        where=f"{command} {text}",
        fix=f"{command} {path.parent / near[0]}" if near else "a setting is written key=value",
    )
