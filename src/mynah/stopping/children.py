"""Child processes that end with the process that started them, however that one ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LOOK_SECONDS = 0.5


def end_with_parent(parent: int) -> None:
    """Kill this process once its parent is gone; to be called in the child, first of all.

    Args:
        parent: The parent's process id, as the parent knows it: it may be gone already.
    """
    if sys.platform.startswith("linux"):
        # The kernel does it at once; but only where the thread that started this process ends.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=(parent,), daemon=True, name="parent").start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)
