"""No search for garbage while modules are imported and settings composed."""

from __future__ import annotations

import atexit
import contextlib
import gc
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Let Python look for no cycles among the objects that are made here.

    Modules, classes and settings stay, and there are tens of thousands of them: looking through
    them again and again takes a tenth of what a configuration takes.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def leave_without_search() -> None:
    """Let this process end without a last search, where it looked at nothing but settings."""
    atexit.register(_leave)


def _leave() -> None:
    if "torch" not in sys.modules:  # what a training left may have files open
        gc.freeze()
