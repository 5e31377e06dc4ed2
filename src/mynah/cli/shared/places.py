"""Where a command writes: on this machine, and not at an address of storage."""

from __future__ import annotations

from collections.abc import Sequence

from mynah.errors import UserError
from mynah.storage.address import WRITABLE, is_address, masked, name_of

_FLAGS = ("--to", "--output")
_DIRECTORIES = ("hydra.run.dir", "hydra.sweep.dir")


def check_flags(arguments: Sequence[str]) -> None:
    """Refuse an address as the value of a flag that names what is written.

    Raises:
        UserError: There is one.
    """
    for position, token in enumerate(arguments):
        flag, equals, value = token.partition("=")
        if flag in _FLAGS and not equals:
            value = arguments[position + 1] if position + 1 < len(arguments) else ""
        if flag in _FLAGS and is_address(value):
            raise UserError(
                "What this command makes is written to this machine, and this is an address.",
                where=f"{flag} {masked(value)}",
                fix=f"{flag} {name_of(value) or 'FOLDER'}, and copy it there when it is complete",
            )


def check_directories(arguments: Sequence[str]) -> None:
    """Refuse an address as the directory of a run or of a sweep.

    Args:
        arguments: Overrides, as typed.

    Raises:
        UserError: There is one.
    """
    for text in arguments:
        name, _, value = text.lstrip("+").partition("=")
        value = value.strip("\"'")
        if name in _DIRECTORIES and is_address(value):
            mirrored = value if value.startswith(tuple(f"{one}://" for one in WRITABLE)) else ""
            raise UserError(
                "A run is written to a folder of this machine, and this is an address.",
                where=f"{name}={masked(value)}",
                fix=f"training.mirror={masked(mirrored) or 's3://BUCKET/FOLDER'} in its place "
                "copies checkpoints, model and report there",
            )
