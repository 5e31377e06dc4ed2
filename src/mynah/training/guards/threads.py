"""A thread that watches beside a block."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def beside(watch: Callable[[], None], over: threading.Event, *, name: str) -> Iterator[None]:
    """Run ``watch`` in a thread for the block; it must end once ``over`` is set."""
    thread = threading.Thread(target=watch, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
