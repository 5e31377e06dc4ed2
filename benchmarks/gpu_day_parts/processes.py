"""Processes that end at a time whatever they do, and take those that they started with them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

_POLL_SECONDS = 0.05
FAILED = 70  # exit status of a process whose function raised


class Child:
    """A process in a group of its own.

    Args:
        folder: Where it works.
        printed: The file that takes what it prints.
        act: What it does in a fork of this process; its result is the exit status.
        words: A command line in place of a fork.
    """

    def __init__(
        self,
        folder: Path,
        printed: Path,
        *,
        act: Callable[[], int] | None = None,
        words: Sequence[str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.began = time.monotonic()
        self.status: int | None = None
        self._groups: Path = folder / ".groups"
        if words is not None:
            with printed.open("wb") as output:
                self._process = subprocess.Popen(
                    words, cwd=folder, stdin=subprocess.DEVNULL, stdout=output,
                    stderr=subprocess.STDOUT, process_group=0,
                )  # fmt: skip
            self.pid = self._process.pid
            return
        assert act is not None
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _live(folder, printed, act)

    def ended(self) -> bool:
        """Whether it has ended; then :attr:`status` is its exit status, negative for a signal."""
        if self.status is None:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            if found:
                self.status = os.waitstatus_to_exitcode(status)
                self._sweep()
        return self.status is not None

    def wait(self, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> bool:
        """Wait for its end, at most so long; then it is killed.

        Returns:
            Whether it ended by itself.
        """
        until = time.monotonic() + seconds
        while not self.ended():
            if time.monotonic() > until:
                self.kill()
                return False
            meanwhile()
            time.sleep(_POLL_SECONDS)
        return True

    def kill(self) -> None:
        """End it and all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self._sweep()

    def _sweep(self) -> None:
        """End what is left of its group, and of the groups of what it started."""
        started = self._groups.read_text().split() if self._groups.exists() else []
        for group in [self.pid, *map(int, started)]:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)


def note_running(folder: Path, children: Iterable[Child]) -> None:
    """Let the end of the process that works in a folder be the end of those that it started."""
    running = [str(child.pid) for child in children if child.status is None]
    (folder / ".groups").write_text(" ".join(running))


def _live(folder: Path, printed: Path, act: Callable[[], int]) -> None:
    os.setpgid(0, 0)
    os.chdir(folder)
    descriptor = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    # Those of the process that was forked may be a test's, and close their files where they go.
    sys.stdout, sys.stderr = (os.fdopen(one, "w", closefd=False) for one in (1, 2))
    status = FAILED
    try:
        status = act()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
