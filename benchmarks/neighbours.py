"""What busy neighbours cost a training, by workers and threads, beside what a plain loop loses.

    python benchmarks/neighbours.py [--seconds 5] [--repeats 5] [--policies default,passive]
        [settings of mynah train]

Each way of training is a process that is stopped but for its turns: `mynah train` with 0 and 1 data
workers and 1 and 2 threads, and a plain loop (forward, backward, AdamW over batches in memory). In
a turn it trains for some seconds while 0, 1 or 2 other processes keep a core busy each; the turns
of all ways follow one another, so that whatever else the machine does meets all alike. Audio
trained on a second is counted between the ends of two steps. Printed are its median without
neighbours, and the median and the least of what is left with them, of the same round without;
beside that what fair shares of the cores would leave to as many threads.

``--policies`` names what threads do while they wait for others (OMP_WAIT_POLICY): default (they
spin for a while), passive, active, or a number of turns after which they sleep (GOMP_SPINCOUNT);
with one thread nothing waits.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from gpu_day_parts import corpora
from gpu_day_parts.context import cores
from gpu_day_parts.processes import Child

PLAIN = "plain loop"
_STEPS = 1_000_000  # more than are ever done
_WARM_STEPS = 5  # before a way's first turn
_LONGEST_START = 300.0  # seconds
_LEAST_ENDS, _LONGEST_TURN = 3, 40.0  # of steps in a turn, which takes longer where it has fewer
_SPIN = "while True: pass"


@dataclass(frozen=True)
class Way:
    """A way of training.

    Attributes:
        workers: Data workers; None: a plain loop over batches in memory.
        threads: Of torch.
        policy: What they do while they wait.
    """

    workers: int | None
    threads: int
    policy: str

    @property
    def name(self) -> str:
        """In words."""
        how = PLAIN if self.workers is None else f"{self.workers} workers"
        policy = "" if self.policy == "default" else f", {self.policy}"
        return f"{how}, {self.threads} threads{policy}"

    def fair(self, neighbours: int) -> float:
        """What fair shares of the cores leave to its threads, its worker left out of account."""
        busy, there = self.threads + neighbours, cores()
        return min(1.0, there / busy) / min(1.0, there / self.threads)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("settings", nargs="*", default=[], help="as of mynah train")
    parser.add_argument("--seconds", type=float, default=5.0, help="of a turn")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--neighbours", default="0,1,2", help="numbers of them, 0 among them")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--workers", default="0,1")
    parser.add_argument("--policies", default="default")
    parser.add_argument("--plain", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.plain:
        plain_loop(json.loads(asked.plain))
        return
    numbers = [int(one) for one in asked.neighbours.split(",")]
    ways = list(_ways(asked))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        started = [
            opened.enter_context(started_way(way, Path(folder) / str(number), asked.settings))
            for number, way in enumerate(ways)
        ]
        speeds: dict[tuple[int, int], list[float]] = {}
        for repeat in range(asked.repeats):
            for count in numbers if repeat % 2 else reversed(numbers):
                with neighbours(count):
                    for place in range(len(ways)):
                        speed = started[place].turn(asked.seconds)
                        speeds.setdefault((place, count), []).append(speed)
                        said = f"round {repeat + 1}, {count} neighbours, {ways[place].name}"
                        print(f"{said}: {speed:.1f}", file=sys.stderr, flush=True)
    print(f"{cores()} cores, {asked.repeats} rounds of {asked.seconds:g} s, audio s/s")
    for place, way in enumerate(ways):
        print(_row(way, {count: speeds[place, count] for count in numbers}))


def _ways(asked: argparse.Namespace) -> Iterator[Way]:
    for policy in asked.policies.split(","):
        for threads in map(int, asked.threads.split(",")):
            if threads == 1 and policy != asked.policies.split(",")[0]:
                continue  # a single thread waits for nobody
            yield Way(None, threads, policy)
            for workers in map(int, asked.workers.split(",")):
                yield Way(workers, threads, policy)


def _row(way: Way, speeds: dict[int, Sequence[float]]) -> str:
    alone = speeds[0]
    parts = [f"{way.name:34} {statistics.median(alone):7.1f}"]
    for count in sorted(set(speeds) - {0}):
        left = [busy / free for busy, free in zip(speeds[count], alone, strict=True)]
        parts.append(
            f"{count} neighbours: {statistics.median(left):.2f} left (least {min(left):.2f}, "
            f"fair {way.fair(count):.2f})"
        )
    return "  ".join(parts)


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Processes that keep a core busy each."""
    busy = [subprocess.Popen([sys.executable, "-S", "-c", _SPIN]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


class Started:
    """A way of training in a process of its own, which stands still between its turns."""

    def __init__(self, child: Child, events: Path) -> None:
        self._child = child
        self._events = events

    def wait(self) -> None:
        """Wait for its first steps, and stop it.

        Raises:
            SystemExit: It ended, or takes too long.
        """
        until = time.monotonic() + _LONGEST_START
        while len(list(self._steps())) < _WARM_STEPS:
            if self._child.ended() or time.monotonic() > until:
                printed = self._events.with_name("printed.txt").read_text(errors="replace")
                raise SystemExit(f"A way of training did not start:\n{printed[-2000:]}")
            time.sleep(0.1)
        os.killpg(self._child.pid, signal.SIGSTOP)

    def turn(self, seconds: float) -> float:
        """Audio trained on a second while it runs for so long."""
        began = time.perf_counter()
        os.killpg(self._child.pid, signal.SIGCONT)
        time.sleep(seconds)
        # What was done of a step before the turn counts for nothing, nor what is left of the last.
        while len(ends := [step for step in self._steps() if step[0] > began]) < _LEAST_ENDS:
            if time.perf_counter() - began > _LONGEST_TURN:
                break
            time.sleep(0.2)
        os.killpg(self._child.pid, signal.SIGSTOP)
        if len(ends) < _LEAST_ENDS:  # so slow that a share of a step does not matter
            return sum(audio for _, audio in ends) / (time.perf_counter() - began)
        audio = sum(later[1] for _, later in pairwise(ends))
        return audio / (ends[-1][0] - ends[0][0])

    def _steps(self) -> Iterator[tuple[float, float]]:
        """When each step ended, and the audio in it."""
        audio = 0.0
        text = self._events.read_text() if self._events.exists() else ""
        for event in map(json.loads, text.split("\n")[:-1]):
            if event["kind"] == "batch":
                audio = event["seconds"]
            elif event["kind"] == "step":
                yield event["at"], audio


@contextmanager
def started_way(way: Way, folder: Path, settings: Sequence[str]) -> Iterator[Started]:
    """A way of training, past its first steps and stopped."""
    folder.mkdir()
    corpus = corpora.short(folder.parent / "corpus", 240)
    common = [
        "model=fastconformer", "model.language_model=none", f"data.dataset_name={corpus}",
        "data.num_proc=1", "data.on_leak=ignore", "training.use_cpu=true",
        f"training.cpu_threads={way.threads}",
        f"training.dataloader_num_workers={way.workers or 0}", f"training.max_steps={_STEPS}",
        "training.eval_strategy=no", "training.save_strategy=no",
        "training.load_best_model_at_end=false", "training.report_to=[]",
        *settings,
    ]  # fmt: skip
    here = Path(__file__).resolve()
    if way.workers is None:
        program = [str(here), "--plain", json.dumps([str(folder / "events.jsonl"), common])]
    else:
        request = json.dumps([["train", *common], {}])
        program = [str(here.with_name("gpu_day.py")), "--command", request]
    name = "GOMP_SPINCOUNT" if way.policy.isdecimal() else "OMP_WAIT_POLICY"
    policy = [] if way.policy == "default" else [f"{name}={way.policy}"]
    environment = [f"OMP_NUM_THREADS={way.threads}", f"MYNAH_CACHE={folder.parent}/cache", *policy]
    words = ["env", "HF_HUB_OFFLINE=1", *environment, sys.executable, *program]
    child = Child(folder, folder / "printed.txt", words=words)
    try:
        started = Started(child, folder / "events.jsonl")
        started.wait()
        yield started
    finally:
        child.kill()


def plain_loop(request: Any) -> None:
    """In a process of its own: steps over batches in memory, without end."""
    import torch

    from mynah.config.hydra.compose import compose
    from mynah.data.augmentation.chain import Augmentation
    from mynah.data.preparation.prepare import prepare
    from mynah.machine import seed_everything
    from mynah.models import registry
    from mynah.training.loading.dataset import PlanSampler, TrainingRows
    from mynah.training.loading.loader import make_loader
    from mynah.training.sizing.batch_size import batch_plan

    file, settings = request
    config = compose(settings).config
    torch.set_num_threads(config.training.cpu_threads or 1)
    corpus = prepare(config.data, working_directory=Path.cwd()).train
    assert corpus is not None
    seed_everything(config.training.seed)
    family = registry.build(
        config.model, texts=list(corpus.texts), sample_rate=corpus.sample_rate, offline=True
    )
    augmentation = Augmentation.open(
        config.data.augmentation, sample_rate=corpus.sample_rate, seed=1
    )
    sampler = PlanSampler(batch_plan(corpus, config))
    sampler.begin(0, 0)
    rows = TrainingRows(family, corpus, augmentation)
    batches = list(make_loader(rows, sampler, pin_memory=False, num_workers=0))
    model = family.model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    with Path(file).open("a", encoding="utf-8", buffering=1) as events:
        while True:
            for batch in batches:
                loss = family.loss(model, batch["tensors"])
                (loss.total / loss.count).backward()
                optimizer.step()
                optimizer.zero_grad()
                for said in (
                    {"kind": "batch", "seconds": batch["seconds"]},
                    {"kind": "step", "at": time.perf_counter()},
                ):
                    events.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
