"""Errors that a user can fix: what is wrong, where, and what to do."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_LONGEST = 500  # letters of a place in a message
_SHOWN = 200  # characters of what a library says of a file
_RESUME = "then type the command again, a training with resume_from_checkpoint=last"
_SAVED = "What was saved before is still there."
# What no program can do anything about: the cause, and the way out.
_MACHINE = {
    errno.ENOSPC: ("The disk is full.", f"free some space, {_RESUME}"),
    errno.EDQUOT: ("Your quota of disk space is used up.", f"free some space, {_RESUME}"),
    errno.EIO: (
        "The disk or network drive failed.",
        f"see whether it answers (dmesg says what it reported), {_RESUME}",
    ),
    errno.EROFS: (
        "The file system is read-only.",
        "make it writable, or write elsewhere: hydra.run.dir=FOLDER, training.output_dir=FOLDER, "
        "data.dataset_cache_dir=FOLDER",
    ),
    errno.EFBIG: (
        "A file is larger than the file system or a limit allows.",
        f"raise the limit (ulimit -f unlimited), or write to another disk, {_RESUME}",
    ),
    errno.EMFILE: (
        "This process may not open as many files as it needs.",
        f"raise the limit (ulimit -n 65536), or use fewer training.dataloader_num_workers, "
        f"{_RESUME}",
    ),
    errno.ENAMETOOLONG: ("A path is longer than the system allows.", "name a shorter one"),
    errno.ENFILE: ("No more files can be opened on this machine.", f"close programs, {_RESUME}"),
    errno.ESTALE: (
        "The network drive has lost this file (stale file handle).",
        f"mount the drive again, {_RESUME}",
    ),
}
_NUMBER = re.compile(r"(?:\[Errno |os error )(\d+)[\])]")


# What makes a name of other bytes one that every library can take.
RENAME = "rename the file or folder: convmv -f latin1 -t utf8 --notest -r FOLDER"


class UserError(Exception):
    """A mistake that is the user's to fix; shown as a short message, exit status 2.

    Args:
        what: What is wrong, one sentence.
        where: File and line, setting or utterance it is found in.
        fix: How to fix it; a command to paste where there is one.
    """

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix
        self.rank: int | None = None  # of several processes the one it happened to
        self.shared = False  # whether every process raises it

    def __str__(self) -> str:
        lines = [self.what if self.rank is None else f"{self.what} (rank {self.rank})"]
        if self.where:
            lines.append(f"  where: {_shortened(self.where)}")
        if self.fix:
            lines.append(f"  fix:   {self.fix}")
        return "\n".join(lines)


def is_utf_8(path: str) -> bool:
    """Whether a path can be written as text: a name may be of any bytes."""
    return path == path.encode("utf-8", "replace").decode()


def check_name(path: Path, setting: str) -> None:
    """See that a folder to write has a name that every library can take.

    Args:
        path: The folder, absolute.
        setting: What names it, as ``--output``.

    Raises:
        UserError: It is not UTF-8.
    """
    if not is_utf_8(str(path)):
        raise UserError(
            "The path to write to is not UTF-8, and no model can be saved there.",
            where=f"{setting} {path}",
            fix=f"give {setting} another name, or {RENAME}",
        )


def _shortened(where: str) -> str:
    """A place of thousands of letters, as a path may be, by its beginning and its end."""
    return where if len(where) <= _LONGEST else f"{where[: _LONGEST - 60]} … {where[-50:]}"


class ConfigError(UserError):
    """A mistake in the configuration.

    Args:
        what: What is wrong, one sentence.
        where: File and line, or the argument as typed.
        fix: How to fix it, where no other argument does.
        argument: What is wrong on the command line, as typed; several words as a sequence.
        instead: What it should be, likewise; None: it should be left out.
        setting: The dotted name of the setting that is wrong, where it is known.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        fix: str | None = None,
        argument: str | Sequence[str] | None = None,
        instead: str | Sequence[str] | None = None,
        setting: str | None = None,
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.argument = argument
        self.instead = instead
        self.setting = setting


class ConfigErrors(UserError):  # noqa: N818 - it holds several
    """Several mistakes, found at once.

    Args:
        errors: The mistakes, at least one.
        command: The corrected command, where the command line is what is wrong.
    """

    def __init__(self, errors: Sequence[UserError], command: str | None = None) -> None:
        super().__init__(errors[0].what)
        self.errors = list(errors)
        self.command = command

    def __str__(self) -> str:
        if len(self.errors) == 1:
            text = str(self.errors[0])
        else:
            lines = [f"{len(self.errors)} mistakes in the configuration"]
            for number, error in enumerate(self.errors, start=1):
                lines += [f"{number}. {error}"]
            text = "\n".join(lines)
        if self.command:
            text += f"\n  run:   {self.command}"
        return text


def number_of_system(problem: BaseException | None) -> int | None:
    """The number that the system gave an error, or one that it came from; None: there is none.

    Libraries in other languages, and processes that load data, put it into their text.
    """
    for error in _chain(problem):
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        if found := _NUMBER.search(str(error)):
            return int(found[1])
    return None


def fault_of_machine(problem: BaseException) -> UserError | None:
    """A full disk, a dead drive or a limit of the system, behind an error; None: it is another."""
    number = number_of_system(problem)
    if number not in _MACHINE:
        return None
    what, fix = _MACHINE[number]
    names = [error.filename for error in _chain(problem) if isinstance(error, OSError)]
    name = next((name for name in names if isinstance(name, str | bytes | os.PathLike)), None)
    where = None if name is None else os.fsdecode(name)
    saved = "" if number == errno.ENAMETOOLONG else f" {_SAVED}"
    return UserError(f"{what}{saved}", where=where, fix=fix)


def _chain(problem: BaseException | None) -> Iterator[BaseException]:
    """An error and those that it came from, each once, up to a user's mistake."""
    seen: set[int] = set()  # libraries raise errors again that then come from each other
    while problem is not None and not isinstance(problem, UserError) and id(problem) not in seen:
        seen.add(id(problem))
        yield problem
        problem = problem.__cause__ or problem.__context__


@contextmanager
def reading_checkpoint(directory: Path) -> Iterator[None]:
    """Say of a checkpoint that cannot be understood that it is damaged, or was edited.

    A checkpoint may be anybody's, and its files of any shape: whatever reading them runs into is
    not a mistake in Mynah.

    Args:
        directory: The checkpoint.

    Raises:
        UserError: For anything that the block raises, but for a user's mistakes, which stay what
            they are, and a fault of the machine's. Before it, where the path is not UTF-8.
    """
    if not is_utf_8(str(directory)):  # neither safetensors nor tokenizers opens it
        raise UserError(
            "The path of this checkpoint is not UTF-8, and no model can be read from there.",
            where=str(directory),
            fix=RENAME,
        )
    try:
        yield
    except UserError:
        raise
    except Exception as problem:
        # A name that no system takes was written by whoever made the checkpoint.
        too_long = number_of_system(problem) == errno.ENAMETOOLONG
        if fault_of_machine(problem) is not None and not too_long:
            raise
        lines = str(problem).strip().splitlines() or [""]
        raise UserError(
            f"The checkpoint cannot be read: {type(problem).__name__}: {lines[0][:_SHOWN]}",
            where=str(directory),
            fix="a file of it is damaged or was edited; use another checkpoint, or copy it again",
        ) from problem
