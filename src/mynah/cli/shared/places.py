"""Where a command writes: in a folder of this machine, and not at an address or below a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mynah.config.schema import Config
from mynah.errors import UserError
from mynah.storage.address import WRITABLE, copying, is_address, masked, name_of

_FLAGS = ("--to", "--output")
_DIRECTORIES = ("hydra.run.dir", "hydra.sweep.dir")


# Commands whose plain arguments are files and folders of this machine alone.
_READ_HERE = ("compare", "lm", "runs", "score", "segment", "transcribe")


def check_sources(command: str, arguments: Sequence[str]) -> None:
    """Refuse an address where a command reads files of this machine.

    Args:
        command: Its name, as ``transcribe``.
        arguments: What was typed behind it.

    Raises:
        UserError: There is one.
    """
    if command not in _READ_HERE:
        return
    for before, token in zip(["", *arguments], arguments, strict=False):
        if is_address(token) and not before.startswith("-"):
            here = name_of(token) or "FOLDER"
            copy = copying(token, here, folder="." not in here)
            raise UserError(
                f"mynah {command} reads what lies on this machine, and this is an address.",
                where=masked(token),
                fix=f"copy it here{f' ({copy})' if copy else ''} and name {here}",
            )


def check_flags(arguments: Sequence[str]) -> None:
    """Refuse as the value of a flag that names what is written what nothing can be written to.

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
        if flag in _FLAGS and value:
            place = Path(value).expanduser()
            check_folder(place.parent, f"{flag} {value}", f"{flag} {place.name}")


def check_folder(path: Path, where: str, fix: str) -> None:
    """See that a folder is there or can be made, and written to.

    Raises:
        UserError: It lies in a file, or in a folder that is read-only.
    """
    nearest = next((one for one in (path, *path.parents) if one.exists()), path)
    if nearest.exists() and not nearest.is_dir():
        raise UserError(f"{nearest} is a file, and nothing can lie in it.", where=where, fix=fix)
    if nearest.exists() and not os.access(nearest, os.W_OK):
        raise UserError(f"{nearest} cannot be written to.", where=where, fix=fix)


def check_directories(arguments: Sequence[str], config: Config) -> None:
    """Refuse what a run cannot be written to: an address, or what is or lies in a file.

    Args:
        arguments: Overrides, as typed.
        config: The settings.

    Raises:
        UserError: There is one.
    """
    for name, folder in (
        ("training.output_dir", config.training.output_dir),
        ("data.dataset_cache_dir", config.data.dataset_cache_dir),
    ):
        if folder is not None:
            check_folder(Path(folder).expanduser(), f"{name}={folder}", f"{name}=FOLDER")
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
        if name in _DIRECTORIES and "$" not in value:
            check_folder(Path(value), f"{name}={value}", f"{name}=FOLDER")
