"""Commands in forked processes that a test reads from, and signals, while they run."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO


class Started:
    """A command that runs, with as much of ``subprocess.Popen`` as tests need.

    Args:
        folder: An empty one, for its pipes.
        begin: Begins it in a process whose output goes to the pipes ``stdout 0`` and ``stderr 0``
            of that folder; gives the process's number.
        ended: Its exit status by that number, None while it runs.
        together: Whether its errors stand among its output.

    Attributes:
        pid: The process that is the command.
        stdout: What it prints, as it prints it.
        stderr: Its errors; None where they stand among its output.
        returncode: Its exit status, below zero a signal's number; None as long as nobody asked.
    """

    def __init__(
        self,
        folder: Path,
        begin: Callable[[Path], int],
        ended: Callable[[int], int | None],
        *,
        together: bool,
    ) -> None:
        self._ended = ended
        self.returncode: int | None = None
        out, errors = folder / "stdout 0", folder / "stderr 0"
        os.mkfifo(out)
        if together:
            errors.symlink_to(out)
        else:
            os.mkfifo(errors)
        self.pid = begin(folder)
        # In the order in which the process opens them: each waits for the other.
        self.stdout: IO[str] = out.open(errors="replace")
        self.stderr: IO[str] | None = None if together else errors.open(errors="replace")

    def poll(self) -> int | None:
        """The exit status, None while it runs."""
        if self.returncode is None:
            self.returncode = self._ended(self.pid)
        return self.returncode

    def wait(self, timeout: float = 500.0) -> int:
        """The exit status, in so many seconds.

        Raises:
            subprocess.TimeoutExpired: It runs for longer.
        """
        end = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired([str(self.pid)], timeout)
            time.sleep(0.01)
        return status

    def communicate(self, timeout: float = 500.0) -> tuple[str, str]:
        """All that it prints until it ends, in so many seconds.

        Raises:
            subprocess.TimeoutExpired: It runs for longer.
        """
        pool = ThreadPoolExecutor(2)
        files = [file for file in (self.stdout, self.stderr) if file is not None]
        read = [pool.submit(file.read) for file in files if not file.closed]
        self.wait(timeout)
        printed = [one.result(timeout) for one in read]
        pool.shutdown()
        return printed[0] if printed else "", printed[1] if len(printed) > 1 else ""

    def send_signal(self, number: int) -> None:
        """Send a signal to the process, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once, if it runs."""
        self.send_signal(signal.SIGKILL)
