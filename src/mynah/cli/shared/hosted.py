"""A command of a job on Ray: the job itself, or one of its processes on a node.

python -m mynah.cli.shared.hosted job DIRECTORY WORDS...
python -m mynah.cli.shared.hosted process PARENT WORDS...
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mynah import neighbours
from mynah.cli.main import main
from mynah.launching.on_ray.place import JOB_VARIABLE
from mynah.launching.script import EXITS
from mynah.stopping import signals
from mynah.stopping.children import end_with_parent

JOB, PROCESS = "job", "process"


def host(arguments: Sequence[str]) -> int:
    """Run a command; of a job, note how it ended, and of a process, end with what started it.

    Args:
        arguments: What it is, its directory or its parent, and its words behind ``mynah``.

    Returns:
        Its exit status.
    """
    signals.take_over()
    neighbours.watch()
    what, of, *words = arguments
    sys.argv = ["mynah", *words]  # as it is printed to be typed again
    if what == PROCESS:
        end_with_parent(int(of))
        return main(words)
    os.environ[JOB_VARIABLE] = of
    started, status = time.monotonic(), 1
    try:
        status = main(words)
    finally:
        with suppress(OSError), (Path(of) / EXITS).open("a", encoding="utf-8") as file:
            file.write(f"{status} {round(time.monotonic() - started)}\n")
    return status


if __name__ == "__main__":
    sys.exit(host(sys.argv[1:]))
