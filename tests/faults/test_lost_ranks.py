"""Two processes of one training, each way in which one fails the other: it ends, and says why."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import forked_commands
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
from data_helpers import write_folder
from workspaces import SMALL, clone, environment, words

COMMAND = f"mynah train model=small {SMALL}"
ENDLESS = "training.max_steps=100000 training.eval_strategy=no training.save_strategy=no"
ENDLESS += " training.load_best_model_at_end=false training.logging_steps=1"
END_SECONDS = 60
IMPORT_SECONDS = 60  # imports, where the fault is there from the start
START_SECONDS = 300  # until the first steps, on a machine that is busy
WAIT_SECONDS = END_SECONDS + IMPORT_SECONDS


@dataclass(frozen=True)
class Kind:
    """One way to fail.

    Attributes:
        said: What must stand on one of the screens.
        more: Settings of each process; None: it is never started.
        variables: Environment of each, over what is right.
        fault: A rank, and the signal that it gets once a step is made; None: nothing is done.
    """

    said: tuple[str, ...]
    more: tuple[str | None, str | None] = ("", "")
    variables: tuple[dict[str, str], dict[str, str]] = field(default=({}, {}))
    fault: tuple[int, int] | None = None


KINDS = {
    "a rank that is not a number": Kind(
        ("RANK=abc is not a number",), variables=({"RANK": "abc"}, {}), more=("", None)
    ),
    "a rank beyond the last": Kind(
        ("RANK=2 is not one of the 2 processes",), variables=({}, {"RANK": "2"}), more=(None, "")
    ),
    "no port": Kind(
        ("MASTER_PORT of a training",), variables=({"MASTER_PORT": ""}, {}), more=("", None)
    ),
    "the second never comes": Kind(
        ("waiting for 1 of 2 processes at 127.0.0.1:", "Waited 45 s"), more=("", None)
    ),
    "the first never comes": Kind(
        ("waiting for rank 0 at 127.0.0.1:", "Waited 45 s"), more=(None, "")
    ),
    "a wrong address": Kind(
        ("no.such.host.invalid:",), variables=({}, {"MASTER_ADDR": "no.such.host.invalid"})
    ),
    "two of one rank": Kind(("of this machine is in use",), variables=({}, {"RANK": "0"})),
    "other sizes": Kind(
        ("WORLD_SIZE is 2 on rank 0 and 3 on rank 1",), variables=({}, {"WORLD_SIZE": "3"})
    ),
    "other seeds": Kind(
        ("training.seed is 42 on rank 0 and 7 on rank 1",), more=("", "training.seed=7")
    ),
    "another number of steps": Kind(
        ("training.max_steps is 2 on rank 0 and 3 on rank 1",), more=("", "training.max_steps=3")
    ),
    "other corpora under two names": Kind(
        ("training data (fingerprint) is", "on rank 0 and", "on rank 1"),
        more=(
            "data.dataset_name=./one data.eval_splits=null",
            "data.dataset_name=./two data.eval_splits=null",
        ),
    ),
    "the first is killed": Kind(("ends too",), (ENDLESS, ENDLESS), fault=(0, signal.SIGKILL)),
    "the second is killed": Kind(("ends too",), (ENDLESS, ENDLESS), fault=(1, signal.SIGKILL)),
    "the first is stopped": Kind(
        ("rank 0 does not answer", "Rank 0 of this training has not answered"),
        (ENDLESS, ENDLESS),
        fault=(0, signal.SIGSTOP),
    ),
    "the second is stopped": Kind(
        ("rank 1 does not answer", "Rank 1 of this training has not answered"),
        (ENDLESS, ENDLESS),
        fault=(1, signal.SIGSTOP),
    ),
}
ALONE = ("a rank that is not a number", "no port")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(folder: Path, kind: Kind, port: int) -> list[subprocess.Popen[str] | None]:
    processes: list[subprocess.Popen[str] | None] = []
    for rank, (more, variables) in enumerate(zip(kind.more, kind.variables, strict=True)):
        launched = {
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "WORLD_SIZE": "2",
            "RANK": str(rank),
            "PYTHONUNBUFFERED": "1",
        }
        processes.append(
            None
            if more is None
            else subprocess.Popen(
                words(COMMAND, more),
                cwd=folder,
                env=environment(**(launched | variables)),
                stdout=(folder / f"out-{rank}").open("w"),
                stderr=(folder / f"err-{rank}").open("w"),
            )
        )
    return processes


def screens(folder: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(folder.glob("*-[01]")))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = clone(tmp_path / "clone")
    for name in ("one", "two"):  # they differ in the transcripts alone
        rows = [(f"{row}.wav", f"{name} and {row}", f"speaker {row % 5}") for row in range(20)]
        write_folder(folder / name, rows)
    yield folder


def refused(folder: Path, variables: dict[str, str]) -> str:
    """What the first process says, alone, where it is refused."""
    place = {"MASTER_ADDR": "127.0.0.1", "WORLD_SIZE": "2", "RANK": "0"} | variables
    done = forked_commands.run(words(COMMAND), folder, environment(**place), WAIT_SECONDS)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", ALONE)
def test_one_whose_place_is_wrong_says_so(folder, name):
    kind = KINDS[name]
    said = refused(folder, {"MASTER_PORT": str(free_port())} | kind.variables[0])
    assert all(text in said for text in kind.said), said


@pytest.mark.long
@pytest.mark.parametrize("name", KINDS)
def test_each_ends_by_itself_and_one_says_why(folder, name):
    kind = KINDS[name]
    processes = [one for one in start(folder, kind, free_port()) if one is not None]
    try:
        since = time.monotonic()
        if kind.fault is not None:
            while "step 2/" not in screens(folder):
                assert time.monotonic() - since < START_SECONDS, screens(folder)
                time.sleep(0.2)
            rank, number = kind.fault
            processes[rank].send_signal(number)
            since = time.monotonic()
        for rank, process in enumerate(processes):
            if kind.fault != (rank, signal.SIGSTOP):
                process.wait(timeout=END_SECONDS + START_SECONDS)
        took = time.monotonic() - since
    finally:
        for process in processes:
            process.kill()
            process.wait()
    said = screens(folder)
    assert all(text in said for text in kind.said), said
    assert "Traceback" not in said
    assert all(p.returncode in (2, -signal.SIGKILL) for p in processes), said
    assert took < END_SECONDS + (0 if kind.fault else IMPORT_SECONDS), took


def test_a_port_that_is_in_use_is_said(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = refused(folder, {"MASTER_PORT": str(taken.getsockname()[1])})
    assert "is in use" in said and "MASTER_PORT" in said
