"""How a command ends: 0 done, 2 the user's to fix, 1 ours to fix, 130 interrupted."""

from __future__ import annotations

import errno
import logging
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

from mynah.console import visible
from mynah.distributed import is_first_rank
from mynah.errors import UserError

DONE = 0
OURS = 1
USERS = 2
INTERRUPTED = 130


def exit_status(action: Callable[[], Any]) -> int:
    """Run ``action`` and say how it ended; every command of Mynah's ends here.

    Args:
        action: The command. What it returns may be an exit status, or have an attribute
            ``interrupted``.

    Returns:
        0; 2 with a short message for a ``UserError`` or a full disk; 130 for an interrupt; 1
        with a traceback, on the screen and in the run's log, for everything else.
    """
    try:
        result = action()
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED
    except UserError as problem:
        show_error(problem)
        return USERS
    except BrokenPipeError:  # the reader of our output, as `| head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
            return _ours(problem)
        show_error(disk_full(problem))
        return USERS
    except Exception as problem:
        return _ours(problem)
    if getattr(result, "interrupted", False):
        return INTERRUPTED
    return result if isinstance(result, int) else DONE


def disk_full(problem: OSError) -> UserError:
    """A full disk as an error that says so."""
    return UserError(
        "The disk is full; checkpoints written before are intact.",
        where=str(problem.filename) if problem.filename else None,
        fix="free some space, then go on with resume_from_checkpoint=last",
    )


def show_error(problem: UserError) -> None:
    """Print a message on standard error and log it; what all ranks meet, only the first prints."""
    _log(str(problem))
    if not is_first_rank() and problem.rank is None:
        return
    text = visible(f"error: {problem}")
    if sys.stderr.isatty() and "NO_COLOR" not in os.environ:
        first, newline, rest = text.partition("\n")
        text = f"\x1b[1;31m{first}\x1b[0m{newline}{rest}"
    print(text, file=sys.stderr)


def _ours(problem: BaseException) -> int:
    log = _log_file()
    traceback.print_exception(problem, file=sys.stderr)
    _log("The run failed.", problem)
    print(
        "error: this is a mistake in Mynah, not in your settings"
        + (f"; the log is {log}" if log else ""),
        file=sys.stderr,
    )
    return OURS


def _log(text: str, problem: BaseException | None = None) -> None:
    logger = logging.getLogger("mynah")
    if logger.handlers:  # without any, logging would print it a second time
        logger.error(text, exc_info=problem)


def _log_file() -> str | None:
    for handler in [*logging.getLogger("mynah").handlers, *logging.getLogger().handlers]:
        if isinstance(handler, logging.FileHandler):
            return os.path.relpath(handler.baseFilename)
    return None
