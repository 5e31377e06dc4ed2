"""Commands of Mynah, typed as a person would, each in a process of its own that is watched."""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpu_day_parts.context import Context
from gpu_day_parts.processes import Child, note_running

_EVENTS, _PRINTED = "events.jsonl", "printed.txt"
_POLL_SECONDS = 0.05
# Of every training here: nothing from a network, and no more beside the training than it takes.
TRAINING = (
    "offline=true", "data.on_leak=ignore", "data.on_impossible=drop",
    "evaluation.baseline=none", "evaluation.guard=[]", "evaluation.bootstrap_samples=20",
    "evaluation.report_utterances=0", "model.generation_max_length=16", "training.logging_steps=1",
    "training.eval_strategy=no", "training.save_steps=100000", "training.show_examples=0",
    "training.report_to=[]", "training.load_best_model_at_end=false",
)  # fmt: skip
TOY = ("training.use_cpu=true", "training.cpu_threads=1", "data.num_proc=1")


@dataclass(frozen=True)
class Command:
    """A command line of Mynah.

    Attributes:
        words: What is typed behind ``mynah``.
        watch: What befalls it, and what is counted: see :func:`gpu_day_parts.watching.watch`.
        place: The folder's name where it is typed; None: the command's own.
    """

    words: tuple[str, ...]
    watch: Mapping[str, Any] = field(default_factory=dict)
    place: str | None = None


def training(context: Context, *settings: str, **watch: Any) -> Command:
    """``mynah train`` with what all trainings here have, and more; :attr:`Command.watch`."""
    toy = TOY if context.toy else ()
    kept = {one.partition("=")[0]: one for one in (*TRAINING, *toy, *settings)}
    return Command(("train", *kept.values()), watch)


@dataclass(frozen=True)
class Ended:
    """A command that ended.

    Attributes:
        status: Its exit status, negative for a signal.
        printed: All that it printed.
        folder: Where it was typed.
        seconds: From its start to its end.
        events: What was seen of it, in order.
    """

    status: int
    printed: str
    folder: Path
    seconds: float
    events: Sequence[Mapping[str, Any]]

    def named(self, kind: str) -> Iterator[Mapping[str, Any]]:
        """The events of a kind."""
        return (event for event in self.events if event["kind"] == kind)

    @property
    def losses(self) -> list[float]:
        """Mean loss a token of each step, as logged."""
        return [event["logs"]["loss"] for event in self.named("log") if "loss" in event["logs"]]

    @property
    def step_seconds(self) -> list[float]:
        """Of each step but the first, from the end of the gradient before to that of its own."""
        ends = [event["at"] for event in self.named("step")]
        return [later - earlier for earlier, later in itertools.pairwise(ends)]

    @property
    def said(self) -> str:
        """What it printed with one space between words, whatever the width of the screen."""
        return " ".join(self.printed.split())

    @property
    def end(self) -> Mapping[str, Any]:
        """What the process said of itself at its end; empty where it was killed."""
        return next(self.named("end"), {})

    @property
    def run(self) -> Path:
        """The directory of the newest run."""
        found = [*self.folder.glob("outputs/*/*/run.json")]
        return max(found, key=lambda one: one.stat().st_mtime).parent

    @property
    def results(self) -> Mapping[str, Any]:
        """The evaluations of the newest run, by split."""
        text = (self.run / "evaluation" / "results.json").read_text(encoding="utf-8")
        found: Mapping[str, Any] = json.loads(text)["evaluations"]
        return found

    @property
    def complaint(self) -> str:
        """The end of what it printed, for a line of the table."""
        lines = [one.strip() for one in self.printed.splitlines() if one.strip()]
        return f"exit status {self.status}: {' | '.join(lines[-2:])}"[:300]


def together(
    commands: Mapping[str, Command], context: Context, *, jobs: int | None = None
) -> Iterator[tuple[str, Ended]]:
    """Type commands in processes of their own, so many at a time, and give each as it ends.

    Args:
        commands: By name, which is also that of its folder in the working directory.
        context: Whether a process starts from nothing.
        jobs: How many at a time; None: as many as the machine has cores for.
    """
    here = Path.cwd()
    waiting, running = dict(commands), dict[str, Child]()
    while waiting or running:
        while waiting and len(running) < (jobs or context.jobs):
            name = next(iter(waiting))
            running[name] = _typed(here / (waiting[name].place or name), waiting.pop(name), context)
            note_running(here, running.values())
        for name, child in list(running.items()):
            if child.ended():
                del running[name]
                note_running(here, running.values())
                yield name, _seen(here / (commands[name].place or name), child)
        time.sleep(_POLL_SECONDS)


def alone(name: str, command: Command, context: Context) -> Ended:
    """Type one command while nothing else runs."""
    return next(iter(together({name: command}, context, jobs=1)))[1]


def _typed(folder: Path, command: Command, context: Context) -> Child:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _EVENTS).unlink(missing_ok=True)
    if context.spawn:
        request = json.dumps([list(command.words), dict(command.watch)])
        program = str(Path(__file__).resolve().parents[1] / "gpu_day.py")
        words = [sys.executable, program, "--command", request]
        return Child(folder, folder / _PRINTED, words=words)
    return Child(folder, folder / _PRINTED, act=lambda: live(command.words, command.watch))


def live(words: Sequence[str], watched: Mapping[str, Any]) -> int:
    """In the command's own process: watch, and run it to its end."""
    os.environ |= {"COLUMNS": "200"}
    from gpu_day_parts.watching import watch
    from mynah.cli.main import main

    with watch(Path(_EVENTS), **watched):
        return main(list(words))


def _seen(folder: Path, child: Child) -> Ended:
    events = []
    if (folder / _EVENTS).exists():
        lines = (folder / _EVENTS).read_text(encoding="utf-8").split("\n")[:-1]
        events = [json.loads(line) for line in lines]
    printed = (folder / _PRINTED).read_text(encoding="utf-8", errors="replace")
    assert child.status is not None
    return Ended(child.status, printed, folder, time.monotonic() - child.began, events)
