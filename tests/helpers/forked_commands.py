"""Commands as processes of their own that share what takes seconds to import.

A first process imports torch, transformers and Mynah, and is forked for each command. The child
takes its command's environment over, and has the libraries that read theirs while they were
imported read it again. On macOS, where a process that has loaded the system's frameworks may not
be forked, each command starts from nothing.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import importlib.util
import json
import os
import pkgutil
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import quicker
from started_commands import Started

# Where Mynah is loaded from, whatever PYTHONPATH says.
SOURCE = Path(importlib.util.find_spec("mynah").origin).resolve().parents[1]
PROGRAMS = {
    "mynah": [sys.executable, "-m", "mynah.cli"],
    "python": [sys.executable],
    "torchrun": [sys.executable, "-m", "torch.distributed.run"],
    "accelerate": [sys.executable, "-m", "accelerate.commands.accelerate_cli"],
}
# The variables that a forked child can take over; with others a command starts from nothing.
LATE = (
    "AWS_", "CANARY", "COMP_", "HF_", "HYDRA_FULL_ERROR", "LOCAL_RANK", "LOCAL_WORLD_SIZE",
    "MASTER_", "MYNAH_", "PATH", "PYTEST_CURRENT_TEST", "PYTHONPATH",
    "PYTHONUNBUFFERED", "RANK", "SLURM_JOB_ID", "TORCHINDUCTOR_", "WORLD_SIZE", "no_proxy",
)  # fmt: skip
# The modules that read such variables while they are imported.
READ_EARLY = ("huggingface_hub.constants", "datasets.config")
# What most commands import sooner or later, beside all of Mynah but what few of them need.
SHARED = (
    "datasets", "hydra.core.plugins", "jiwer", "peft", "safetensors.torch", "scipy.signal",
    "soundfile", "torch._dynamo", "torch.distributed", "torch.utils.tensorboard",
    "transformers.models.parakeet.modeling_parakeet",
    "transformers.models.whisper.modeling_whisper", "transformers.trainer",
)  # fmt: skip
# Gradio and Ray take seconds to import.
OF_FEW = ("mynah.serving.demo", "mynah.launching.on_ray.backend")


def environment(**more: str) -> dict[str, str]:
    """One thread a process, wide tables, and whatever is given; hatch is not to be noticed."""
    inherited = {name: value for name, value in os.environ.items() if "HATCH" not in name}
    return inherited | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"} | more


# What a command has that is given nothing more.
_INHERITED = environment()


def run(
    words: list[str], folder: Path, environment: dict[str, str], timeout: int = 500
) -> subprocess.CompletedProcess[str]:
    """Run a command line to its end, ``mynah …`` or ``python FILE …`` in a forked process.

    Other programs start from nothing, as does a command whose environment a process has to have
    from its start.
    """
    words = _by_name(words)
    forked = _forker_for(words, environment)
    if forked is not None:
        with _one_at_a_time:
            return forked.run(words, folder, [environment], timeout)[0]
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


def start(
    words: list[str], folder: Path, environment: dict[str, str], *, together: bool = False
) -> Started | subprocess.Popen[str]:
    """Start a command as :func:`run` does, to be read from and signalled while it runs.

    Args:
        words: The command line.
        folder: Where it is typed.
        environment: Its own.
        together: Whether its errors stand among its output.
    """
    words = _by_name(words)
    forked = _forker_for(words, environment)
    if forked is not None:
        return forked.start(words, folder, environment, together=together)
    return subprocess.Popen(
        [*PROGRAMS.get(words[0], words[:1]), *words[1:]],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if together else subprocess.PIPE,
        text=True,
    )


def _by_name(words: list[str]) -> list[str]:
    """The command line with ``mynah`` or ``python`` for how that is started."""
    for name in ("mynah", "python"):
        if words[: len(PROGRAMS[name])] == PROGRAMS[name]:
            return [name, *words[len(PROGRAMS[name]) :]]
    return words


def run_ranks(
    words: list[str], folder: Path, environment: Mapping[str, str], ranks: int = 2
) -> list[subprocess.CompletedProcess[str]]:
    """Run ``python FILE …`` in processes that find each other as torchrun has them do.

    Returns:
        How each rank ended.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    shared = {**environment, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    shared |= {"WORLD_SIZE": str(ranks), "LOCAL_WORLD_SIZE": str(ranks), "OMP_NUM_THREADS": "1"}
    places = [shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(ranks)]
    return run_together(words, folder, places)


def run_together(
    words: list[str], folder: Path, environments: list[dict[str, str]]
) -> list[subprocess.CompletedProcess[str]]:
    """Run a command in as many processes as there are environments, all at the same time."""
    forked = _forker_for(words, environments[0])
    if forked is not None:
        with _one_at_a_time:
            return forked.run(words, folder, environments, 500)
    with ThreadPoolExecutor(len(environments)) as pool:
        return list(pool.map(lambda one: run(words, folder, one), environments))


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
    """The process that is forked for each command.

    Args:
        environment: Its own.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._logs = Path(tempfile.mkdtemp(prefix="commands-"))
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def may_run(self, environment: Mapping[str, str]) -> bool:
        """Whether a child can take an environment over."""
        differing = dict(environment.items() ^ self._environment.items())
        if not all(name.startswith(LATE) for name in differing):
            return False
        own = [Path(folder).resolve() for folder in _search_path(self._environment)]
        own.append(SOURCE)
        others = [
            folder
            for folder in map(Path, _search_path(environment))
            if folder.resolve() not in own and folder.is_dir()
        ]
        # What hides a module has to be found before that is loaded.
        there = [path.stem for folder in others for path in folder.iterdir()]
        with _one_at_a_time:
            return not (there and self._answered({"loaded": there}))

    def run(
        self, words: list[str], folder: Path, environments: list[Mapping[str, str]], timeout: int
    ) -> list[subprocess.CompletedProcess[str]]:
        """Run a command to its end in as many processes as there are environments."""
        request = {"folder": str(folder), "words": words, "logs": str(self._logs)}
        request |= {"environments": [dict(one) for one in environments], "timeout": timeout}
        ended = []
        for number, status in enumerate(self._answered(request)):
            if status == -signal.SIGALRM:
                raise subprocess.TimeoutExpired(words, timeout)
            logs = [self._logs / f"{name} {number}" for name in ("stdout", "stderr")]
            printed = [log.read_text(errors="replace") for log in logs]
            ended.append(subprocess.CompletedProcess(words, status, *printed))
        return ended

    def start(
        self, words: list[str], folder: Path, environment: Mapping[str, str], *, together: bool
    ) -> Started:
        """Start a command, and do not wait for its end."""
        request = {"folder": str(folder), "words": words, "timeout": 500, "stays": True}
        request["environments"] = [dict(environment)]

        def asked(**request: object) -> Any:
            with _one_at_a_time:
                return self._answered(request)

        return Started(
            Path(tempfile.mkdtemp(dir=self._logs)),
            lambda pipes: int(asked(**request, logs=str(pipes))[0]),
            lambda process: asked(ended=process),
            together=together,
        )

    def _answered(self, request: Mapping[str, object]) -> Any:
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None and answers is not None
        print(json.dumps(request), file=requests, flush=True)
        return json.loads(answers.readline())

    def close(self) -> None:
        self._process.communicate()
        shutil.rmtree(self._logs, ignore_errors=True)


_one_at_a_time = threading.Lock()
_forkers: list[_Forker] = []


def _forker_for(words: list[str], environment: Mapping[str, str]) -> _Forker | None:
    """The process to fork for a command; None where that has to start from nothing."""
    is_ours = words[0] == "mynah" or (words[0] == "python" and words[1].endswith(".py"))
    if not is_ours or sys.platform == "darwin":
        return None
    with _one_at_a_time:
        if not _forkers:
            # Not the first command's: the folders on its path do not outlive its test.
            _forkers.append(_Forker(_INHERITED))
    return _forkers[0] if _forkers[0].may_run(environment) else None


@atexit.register
def _close() -> None:
    for forker in _forkers:
        forker.close()


def _search_path(environment: Mapping[str, str]) -> list[str]:
    named = environment.get("PYTHONPATH", "").split(os.pathsep)
    return [str(Path(folder).absolute()) for folder in named if folder]


def _serve(requests: IO[str]) -> None:
    import mynah

    own = [one.name for one in pkgutil.walk_packages(mynah.__path__, "mynah.")]
    for name in [*SHARED, *own]:
        if not name.endswith("__main__") and name not in OF_FEW:
            with suppress(ImportError):  # an extra that is not installed
                importlib.import_module(name)
    sys.modules["hydra.core.plugins"].Plugins.instance()
    # The schema, and what Hydra's parsers learn of a first text: each command would take its time.
    sys.modules["mynah.config.hydra.compose"].compose(["model=small"])
    sys.modules["mynah.config.plugins.registry"].installed_plugins.cache_clear()
    quicker.begin()
    quicker.imported()
    gc.freeze()  # a child that collects garbage would copy what it shares
    for line in requests:
        request = json.loads(line)
        if "loaded" in request:
            answer: Any = any(name in sys.modules for name in request["loaded"])
        elif "ended" in request:
            child, status = os.waitpid(request["ended"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if child else None
        else:
            answer = []
            for number in range(len(request["environments"])):
                answer.append(os.fork())
                if answer[-1] == 0:
                    os._exit(_run(request, number))
            if not request.get("stays"):
                answer = [os.waitstatus_to_exitcode(os.waitpid(one, 0)[1]) for one in answer]
        print(json.dumps(answer), flush=True)


def _take_over(environment: Mapping[str, str]) -> None:
    """Change the environment, and what was read of it while modules were imported."""
    inherited = _search_path(os.environ)
    kept = [folder for folder in sys.path[1:] if folder not in inherited]
    sys.path[1:] = [*_search_path(environment), *kept]
    os.environ.clear()
    os.environ.update(environment)
    changed = {}
    for module in map(sys.modules.__getitem__, READ_EARLY):
        before = dict(vars(module))
        importlib.reload(module)
        changed |= {
            name: (before[name], value)
            for name, value in vars(module).items()
            if name.isupper() and name in before and before[name] != value
        }
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith(("huggingface_hub", "transformers", "peft")):
            for name in changed.keys() & vars(module).keys():
                before, now = changed[name]
                if vars(module)[name] == before:
                    setattr(module, name, now)
    from huggingface_hub import constants, hf_api

    from mynah import console

    hf_api.api.endpoint = constants.ENDPOINT
    console.hush(os.environ.get("RANK", "0") != "0")


def _run(request: dict[str, Any], number: int) -> int:
    """The exit status of one of a command's processes, in the child."""
    signal.alarm(request["timeout"])
    logs = Path(request["logs"])
    silent = os.open(os.devnull, os.O_RDONLY)
    os.dup2(silent, 0)
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        log = os.open(logs / f"{name} {number}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(log, descriptor)
        os.close(log)
    sys.stdout.reconfigure(  # type: ignore[union-attr]
        write_through="PYTHONUNBUFFERED" in request["environments"][number]
    )
    os.chdir(request["folder"])
    _take_over(request["environments"][number])
    program, *rest = request["words"]
    status: object
    try:
        if program == "mynah":
            from mynah.cli.main import main

            sys.path[0] = request["folder"]
            sys.argv = ["mynah", *rest]
            # One that gets signals is a process's own, as they are answered from its first line on.
            status = main(None if request.get("stays") else rest)
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
