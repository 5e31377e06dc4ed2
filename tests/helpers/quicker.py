"""What costs a test run time and nobody sees: waits for the disk, and the same work again."""

from __future__ import annotations

import functools
import gc
import json
import os
import sys
from collections.abc import Callable


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

        chat_templates._ends = _tried_once(chat_templates._ends)


def _tried_once(ends: Callable[[str], bool]) -> Callable[[str], bool]:
    """Try a rendering once a session, and a stand-in's template with the first thing it is given.

    Each trial takes a process. The stand-ins' templates are the same in every test, and no loop
    of theirs depends on more than the number of messages.

    Args:
        ends: ``chat_templates._ends``.
    """
    ends = functools.cache(ends)
    ended: set[str] = set()

    def tried(asked: str) -> bool:
        template = json.loads(asked)["template"]
        if template in ended:
            return True
        if ends(asked):
            if any(template in own.values() for own in _stand_ins()):
                ended.add(template)
            return True
        return False

    return tried


def _stand_ins() -> list[dict[str, object]]:
    return [vars(module) for name, module in sys.modules.items() if name.startswith("standins")]
