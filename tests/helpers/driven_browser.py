"""A headless Chromium that a test drives, by the DevTools protocol over a pipe."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


class Page:
    """The one page of a browser."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands = commands
        self._answers = answers
        self._held = b""
        self._number = 0
        self._session: str | None = None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Run one command of the protocol."""
        self._number += 1
        asked = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            asked["sessionId"] = self._session
        os.write(self._commands, json.dumps(asked).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def run(self, script: str) -> Any:
        """The value of an expression in the page; of an element, that there is one."""
        found = self.send("Runtime.evaluate", expression=script, userGesture=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value", found["result"].get("subtype") == "node")

    def until(self, script: str, seconds: float = 60.0) -> Any:
        """The value of an expression as soon as it is true."""
        ends = time.monotonic() + seconds
        while not (value := self.run(script)):
            assert time.monotonic() < ends, (script, self.run("document.body.innerText"))
            time.sleep(0.1)
        return value

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._held:
            block = os.read(self._answers, 1 << 16)
            assert block, "the browser has ended"
            self._held += block
        answer, _, self._held = self._held.partition(b"\0")
        return json.loads(answer)


@contextmanager
def driven(profile: Path, *flags: str) -> Iterator[Page]:
    """A page in a browser; the test is skipped where there is no Chromium."""
    browser = next(filter(None, map(shutil.which, _NAMES)), None)
    if browser is None:
        pytest.skip("needs Chromium")
    to_read, commands = os.pipe()
    answers, to_write = os.pipe()
    # Chromium reads commands from descriptor 3 and writes answers to descriptor 4.
    line = f'exec "$@" 3<&{to_read} 4>&{to_write}'
    process = subprocess.Popen(
        ["bash", "-c", line, "browser", browser, "--headless=new", "--no-sandbox", "--disable-gpu",
         "--remote-debugging-pipe", f"--user-data-dir={profile}", *flags],
        pass_fds=(to_read, to_write),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(to_read)
    os.close(to_write)
    try:
        yield Page(commands, answers)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()
        os.close(commands)
        os.close(answers)
