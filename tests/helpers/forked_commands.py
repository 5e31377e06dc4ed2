"""Commands as processes of their own that share what takes seconds to import.

A first process imports torch, transformers and Mynah, and is forked for each command. On macOS,
where a process that has loaded the system's frameworks may not be forked, each command starts
from nothing.
"""

from __future__ import annotations

import json
import os
import runpy
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any


@dataclass(frozen=True)
class Ended:
    """A command that ended: its exit status, and all that it printed."""

    returncode: int
    output: str


class Commands:
    """Runs commands, each in a folder of its own choice.

    Args:
        logs: A folder for what they print.
        environment: Of all of them.
    """

    def __init__(self, logs: Path, environment: dict[str, str]) -> None:
        self._log = logs / "output.txt"
        self._environment = environment
        self._first: subprocess.Popen[str] | None = None

    def run(self, folder: Path, words: list[str], **environment: str) -> Ended:
        """Run ``mynah …`` or ``python FILE …`` to its end.

        Other programs, and those that are given more environment, start from nothing.
        """
        if environment or sys.platform == "darwin" or words[0] not in ("mynah", "python"):
            return self._started(folder, words, environment)
        if self._first is None:
            self._first = subprocess.Popen(
                [sys.executable, __file__],
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        requests, answers = self._first.stdin, self._first.stdout
        assert requests is not None and answers is not None
        request = {"folder": str(folder), "words": words, "log": str(self._log)}
        print(json.dumps(request), file=requests, flush=True)
        return Ended(int(answers.readline()), self._log.read_text(errors="replace"))

    def close(self) -> None:
        """End the first process."""
        if self._first is not None:
            self._first.communicate()

    def _started(self, folder: Path, words: list[str], environment: dict[str, str]) -> Ended:
        programs = {
            "mynah": [sys.executable, "-m", "mynah.cli"],
            "python": [sys.executable],
            "torchrun": [sys.executable, "-m", "torch.distributed.run"],
            "accelerate": [sys.executable, "-m", "accelerate.commands.accelerate_cli"],
        }
        done = subprocess.run(
            [*programs.get(words[0], words[:1]), *words[1:]],
            cwd=folder,
            env=self._environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return Ended(done.returncode, done.stdout)


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
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    silent = os.open(os.devnull, os.O_RDONLY)
    for here, number in ((silent, 0), (log, 1), (log, 2)):
        os.dup2(here, number)
    os.chdir(request["folder"])
    program, *rest = request["words"]
    print("$", shlex.join(request["words"]), flush=True)
    status: object
    try:
        if program == "mynah":
            from mynah.cli.main import main

            sys.argv = ["mynah", *rest]
            status = main(rest)
        else:
            sys.argv = rest
            sys.path.insert(0, str(Path(rest[0]).resolve().parent))
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
