"""What costs a test run time and nobody sees: waits for the disk, and the same work again."""

from __future__ import annotations

import functools
import gc
import os
import sys


def begin() -> None:
    """What needs no library; conftest.py and the process of commands begin with it."""
    # No test outlives a power cut: the disk would be half of a small training's time.
    os.fsync = os.fstat  # an error too where nothing is open


def imported() -> None:
    """What takes libraries that are imported by now."""
    # Models are full of cycles, and the tests' are small: they may wait for each other.
    gc.set_threshold(50_000, 20, 20)
    if "mynah.models.patches.chat_templates" in sys.modules:
        from mynah.models.patches import chat_templates

        # A process for each rendering: the stand-ins' templates are the same in each test.
        chat_templates._ends = functools.cache(chat_templates._ends)
