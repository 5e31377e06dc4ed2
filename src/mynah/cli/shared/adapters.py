"""What the commands on weights share: the checkpoint that is meant, and a free place."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from mynah.errors import UserError, check_name
from mynah.files import display_path

_SETTING = re.compile(r"eval_checkpoint(?=[ =]|$)")
_TYPED = re.compile(r"eval_checkpoint=('[^']*'|\S+)")


def free_folder(target: Path, suffix: str) -> Path:
    """The folder to write, absolute.

    Args:
        target: As asked for.
        suffix: What is put behind its name where that is taken, in the message.

    Raises:
        UserError: Something is there, or its name is not UTF-8.
    """
    target = target.absolute()
    check_name(target, "--to")
    empty = target.is_dir() and not target.is_symlink() and not any(target.iterdir())
    if not empty and (target.exists() or target.is_symlink()):
        raise UserError(
            "There is something of that name already, and nothing is overwritten.",
            where=f"--to {display_path(target)}",
            fix=f"--to {display_path(target.with_name(f'{target.name}-{suffix}'))}",
        )
    return target


def intact_adapter(asked: str, command: str, verb: str) -> Path:
    """The checkpoint that is meant, intact and with LoRA matrices.

    Args:
        asked: A checkpoint, a run's directory, or a link to one.
        command: The command, for messages: ``mynah merge``.
        verb: What it does: ``merge``.

    Raises:
        UserError: It is none, or damaged, or has no LoRA matrices.
    """
    found = intact_checkpoint(asked, command)
    if not adapter_configs(found):
        raise UserError(
            f"There is nothing to {verb}: this checkpoint has no LoRA matrices, and holds its "
            "weights itself.",
            where=display_path(found),
            fix=f"use it as it is: mynah eval {typed_folder(found)}",
        )
    return found


def intact_checkpoint(asked: str, command: str) -> Path:
    """The checkpoint that is meant, intact.

    Args:
        asked: A checkpoint, a run's directory, or a link to one.
        command: The command, for messages.

    Raises:
        UserError: It is none, or damaged.
    """
    from mynah.checkpoints.commit import verify
    from mynah.checkpoints.find import resolve_checkpoint

    with checkpoint_as_typed(asked, f"{command} "):
        found = resolve_checkpoint(asked, Path.cwd())
        verify(found)
    return found


@contextlib.contextmanager
def checkpoint_as_typed(where: str, before: str, behind: str = "") -> Iterator[None]:
    """Say of a checkpoint that is missing or damaged what was typed, for ``eval_checkpoint``.

    Args:
        where: What was typed.
        before: What stands before a checkpoint on that command line.
        behind: What was typed behind it, with a space before it.
    """
    try:
        yield
    except UserError as problem:
        if problem.where and _SETTING.match(problem.where):
            problem.where = where
        if problem.fix:
            problem.fix = _TYPED.sub(lambda found: f"{before}{found[1]}{behind}", problem.fix)
        raise


def adapter_configs(checkpoint: Path) -> list[Path]:
    """Where a checkpoint's adapters are described, as peft reads it."""
    files = [checkpoint / "adapter_config.json", *checkpoint.glob("*adapter/adapter_config.json")]
    return [file for file in files if file.is_file()]


def typed_folder(path: Path) -> str:
    """A folder as ``mynah eval`` takes it for one."""
    shown = display_path(path)
    return shown if "/" in shown else f"./{shown}"
