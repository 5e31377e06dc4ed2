"""Commands as processes of their own that share what takes seconds to import.

A first process imports torch, transformers and Mynah, and is forked for each command. It has the
environment of its commands from its start, for libraries read theirs while they are imported. On
macOS, where a process that has loaded the system's frameworks may not be forked, each command
starts from nothing.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

# A process that was forked for few commands makes room for the next environment's.
MOST = 3
PROGRAMS = {
    "mynah": [sys.executable, "-m", "mynah.cli"],
    "python": [sys.executable],
    "torchrun": [sys.executable, "-m", "torch.distributed.run"],
    "accelerate": [sys.executable, "-m", "accelerate.commands.accelerate_cli"],
}


def run(
    words: list[str], folder: Path, environment: dict[str, str], timeout: int = 500
) -> subprocess.CompletedProcess[str]:
    """Run a command line to its end, ``mynah …`` or ``python FILE …`` in a forked process.

    Other programs start from nothing, as does the first command of an environment.
    """
    for name in ("mynah", "python"):
        if words[: len(PROGRAMS[name])] == PROGRAMS[name]:
            words = [name, *words[len(PROGRAMS[name]) :]]
            break
    place = frozenset(environment.items())
    _asked[place] += 1
    forkable = sys.platform != "darwin" and (
        words[0] == "mynah" or (words[0] == "python" and words[1].endswith(".py"))
    )
    if not forkable or (place not in _forkers and _asked[place] < 2):
        return subprocess.run(
            [*PROGRAMS.get(words[0], words[:1]), *words[1:]],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    if place not in _forkers:
        if len(_forkers) == MOST:
            _forkers.pop(min(_forkers, key=lambda kept: _asked[kept])).close()
        _forkers[place] = _Forker(environment)
    return _forkers[place].run(words, folder, timeout)


@dataclass(frozen=True)
class Ended:
    """A command that ended: its exit status, and all that it printed."""

    returncode: int
    output: str


class Commands:
    """Runs commands, each in a folder of its own choice.

    Args:
        environment: Of all of them.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment

    def run(self, folder: Path, words: list[str], **environment: str) -> Ended:
        """Run a command line to its end, given more environment where it needs some."""
        done = run(words, folder, self._environment | environment)
        return Ended(done.returncode, done.stdout + done.stderr)


class _Forker:
    """The first process of an environment.

    Args:
        environment: Its own, and that of each command.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self._logs = Path(tempfile.mkdtemp(prefix="commands-"))
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, words: list[str], folder: Path, timeout: int) -> subprocess.CompletedProcess[str]:
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None and answers is not None
        request = {"folder": str(folder), "words": words, "logs": str(self._logs)}
        print(json.dumps(request | {"timeout": timeout}), file=requests, flush=True)
        status = int(answers.readline())
        if status == -signal.SIGALRM:
            raise subprocess.TimeoutExpired(words, timeout)
        printed = [(self._logs / name).read_text(errors="replace") for name in ("stdout", "stderr")]
        return subprocess.CompletedProcess(words, status, *printed)

    def close(self) -> None:
        self._process.communicate()
        shutil.rmtree(self._logs, ignore_errors=True)


_forkers: dict[frozenset[tuple[str, str]], _Forker] = {}
_asked: Counter[frozenset[tuple[str, str]]] = Counter()


@atexit.register
def _close() -> None:
    for forker in _forkers.values():
        forker.close()


def _serve(requests: IO[str]) -> None:
    import peft
    import torch
    import transformers

    import mynah.run

    assert peft and torch and transformers and mynah.run
    for line in requests:
        child = os.fork()
        if child == 0:
            os._exit(_run(json.loads(line)))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _run(request: dict[str, Any]) -> int:
    """The exit status of one command, in the child."""
    signal.alarm(request["timeout"])
    logs = Path(request["logs"])
    silent = os.open(os.devnull, os.O_RDONLY)
    os.dup2(silent, 0)
    for name, number in (("stdout", 1), ("stderr", 2)):
        log = os.open(logs / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(log, number)
        os.close(log)
    os.chdir(request["folder"])
    program, *rest = request["words"]
    status: object
    try:
        if program == "mynah":
            from mynah.cli.main import main

            sys.path[0] = request["folder"]
            sys.argv = ["mynah", *rest]
            status = main(rest)
        else:
            sys.argv = rest
            sys.path[0] = str(Path(rest[0]).resolve().parent)
            runpy.run_path(rest[0], run_name="__main__")
            status = 0
    except SystemExit as leaving:
        status = leaving.code
    except BaseException:
        import traceback

        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status if isinstance(status, int) else int(status is not None)


if __name__ == "__main__":
    _serve(sys.stdin)
