"""How a command ends: 0 done, 2 the user's to fix, 1 ours to fix, 130 interrupted."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from mynah.console import unread, visible
from mynah.distributed import is_first_rank
from mynah.errors import UserError, fault_of_machine
from mynah.stopping import signals
from mynah.training.guards import slurm

DONE = 0
OURS = 1
USERS = 2
INTERRUPTED = 130


def exit_status(action: Callable[[], Any], *, requeues: Callable[[], bool] = lambda: False) -> int:
    """Run ``action`` and say how it ended; every command of Mynah's ends here.

    Args:
        action: The command. What it returns may be an exit status, or have an attribute
            ``interrupted``.
        requeues: Whether the settings ask to put a SLURM job that its warning signal ended back
            into the queue; called only then.

    Returns:
        0; 2 with a short message for a ``UserError`` or a fault of the machine's; 130 for an
        interrupt; 1 with a traceback, on the screen and in the run's log, for everything else.
    """
    try:
        signals.release()
        result = action()
        if problem := unread():
            raise UserError(
                f"What this command prints could not be written: {problem.strerror}.",
                where="its standard output",
                fix="free some space, or print elsewhere: > FILE",
            )
    except KeyboardInterrupt as stop:
        return _interrupted(stop, requeues)
    except UserError as problem:
        show_error(problem)
        return USERS
    except BrokenPipeError:  # the reader of our output, as `| head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as problem:
        fault = fault_of_machine(problem)
        if fault is None:
            return _ours(problem)
        _log("The run failed.", problem)
        show_error(fault)
        return USERS
    finally:
        signals.end()
    if getattr(result, "interrupted", False):
        return INTERRUPTED
    return result if isinstance(result, int) else DONE


def _interrupted(stop: KeyboardInterrupt, requeues: Callable[[], bool]) -> int:
    """Say what ended this command."""
    reason = stop.reason if isinstance(stop, signals.Interrupted) else "SIGINT"
    text = "Interrupted." if reason == "SIGINT" else f"Interrupted by {reason}."
    _log(text)
    if is_first_rank():
        _print_error(text)
        if slurm.may_requeue(reason) and requeues():
            slurm.requeue()
    return INTERRUPTED


def show_error(problem: UserError) -> None:
    """Print a message on standard error and log it; what all ranks meet, only the first prints."""
    _log(visible(str(problem)))
    if not is_first_rank() and problem.rank is None:
        return
    text = visible(f"error: {problem}")
    if sys.stderr.isatty() and "NO_COLOR" not in os.environ:
        first, newline, rest = text.partition("\n")
        text = f"\x1b[1;31m{first}\x1b[0m{newline}{rest}"
    _print_error(text)


def _print_error(text: str) -> None:
    with suppress(OSError, ValueError):  # the screen may be gone: the log has it
        print(text, file=sys.stderr, flush=True)


def _ours(problem: BaseException) -> int:
    log = _log_file()
    with suppress(OSError, ValueError):
        traceback.print_exception(problem, file=sys.stderr)
    _log("The run failed.", problem)
    _print_error(
        "error: this is a mistake in Mynah, not in your settings"
        + (f"; the log is {log}" if log else "")
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
