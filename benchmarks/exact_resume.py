"""A training that is broken in every way ends as the one that was never touched.

    python benchmarks/exact_resume.py --kills 100 --terms 20 --full-disks 20 --damaged 20

Each line of the table is so many trainings of the real stack (``training_to_break.py`` says
what is in it), each broken at another place and then typed again with ``resume_from_checkpoint``
until it is done. *Identical* counts those whose last checkpoint (weights, optimizer, schedule,
random state, log with the running loss, best score), published model and error rates are bit
for bit those of an untouched training.

- ``--kills``: SIGKILL; half of them spread evenly over the file operations of the saves, a
  quarter over the batches, a quarter over time. The data workers live on for a moment.
- ``--terms``: SIGTERM; half before a batch, half at a time, every other one to the data workers
  too. It has to end with a checkpoint.
- ``--full-disks``: the disk (a small tmpfs) fills up at an operation of a save. It has to end
  with exit status 2 and a message, and lose nothing.
- ``--damaged``: killed after a save, then the newest checkpoint cut short or one bit of it
  flipped. Resuming has to name it and to take the one before.

A broken training and the one that resumes take about five seconds on one core. The full disks
need root on Linux, for the mount.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from training_to_break import (
    RUNS,
    Ended,
    Fault,
    Training,
    damage,
    differing,
    operations_of,
    spread,
    write_corpora,
)

from mynah.checkpoints import commit as checkpoints

_DISK = "16m"  # holds what the training keeps; nothing that is left behind a full disk
_ATTEMPTS = 5  # at a place in time that the training was too fast for


@dataclass
class Outcome:
    """What became of the trainings that were broken in one way.

    Attributes:
        kind: The way.
        broken: How many were broken.
        resumed: How many of them found a checkpoint to resume from; the others began from scratch.
        identical: How many ended like the untouched one.
        problems: What was not as it has to be, one line each.
        seconds: All of it.
    """

    kind: str
    broken: int = 0
    resumed: int = 0
    identical: int = 0
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def row(self) -> str:
        """A line of the table."""
        counts = f"{self.broken:8} {self.resumed:8} {self.identical:10} {self.seconds:9.0f}"
        return f"{self.kind:38} {counts}"


class Bench:
    """An untouched training, and others that are broken and compared with it.

    Args:
        folder: For all of them.
        arguments: More settings of the trainings.
        say: Takes a line about each.
    """

    def __init__(
        self,
        folder: Path,
        arguments: tuple[str, ...] = (),
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._folder, self._data, self._arguments = folder, folder / "data", arguments
        self._say = say
        self._made = 0
        write_corpora(self._data)
        training = self._new()
        self.untouched: Ended = training.run()
        if self.untouched.status:
            raise SystemExit(self.untouched.printed)
        self._expected = training.fingerprint()
        shutil.rmtree(training.folder)

    def kills(self, number: int) -> Outcome:
        """SIGKILL in saves, before batches, at times."""
        outcome = Outcome("SIGKILL: saves, batches, times")
        with self._timed(outcome):
            in_saves, at_batches = number - number // 2, number // 4
            places = operations_of(self.untouched.saves, in_saves)
            faults = [Fault(_kill, save=save, operation=at) for save, at in places]
            faults += [Fault(_kill, batch=at) for at in spread(at_batches, self.untouched.batches)]
            for fault in faults:
                training = self._new()
                ended = training.run(None, fault)
                self._expect(outcome, ended, -signal.SIGKILL)
                self._finish(outcome, training, "auto", f"SIGKILL {fault.place}")
            for seconds in self._times(number - len(faults)):
                training = self._at(outcome, signal.SIGKILL, seconds, group=False)
                self._finish(outcome, training, "auto", f"SIGKILL after {seconds:.2f} s")
        return outcome

    def terms(self, number: int) -> Outcome:
        """SIGTERM before batches and at times."""
        outcome = Outcome("SIGTERM: batches, times")
        with self._timed(outcome):
            at_batches = number - number // 2
            for place, batch in enumerate(spread(at_batches, self.untouched.batches)):
                training = self._new()
                ended = training.run(None, Fault(_term_group if place % 2 else _term, batch=batch))
                self._expect(outcome, ended, 130, "resume_from_checkpoint=last")
                self._finish(outcome, training, "last", f"SIGTERM before batch {batch}")
            for place, seconds in enumerate(self._times(number - at_batches)):
                training = self._at(outcome, signal.SIGTERM, seconds, group=place % 2 == 1)
                self._finish(outcome, training, "last", f"SIGTERM after {seconds:.2f} s")
        return outcome

    def full_disks(self, number: int) -> Outcome:
        """A disk that fills up within saves."""
        outcome = Outcome("full disk: operations of saves")
        with self._timed(outcome):
            # The first save may leave nothing to resume from; all the others must.
            for save, operation in operations_of(self.untouched.saves, number):
                training = self._new()
                with _small_disk(training.folder / RUNS):
                    fault = Fault(training.fill_disk, save=save, operation=operation)
                    where = f"disk full {fault.place}"
                    ended = training.run(None, fault)
                    self._expect(outcome, ended, 2, "disk is", "full", "free")
                    training.free_disk()
                    if save > 1 and not checkpoints.intact_checkpoints(training.model):
                        outcome.problems.append(f"{where}: no checkpoint is left")
                    self._finish(outcome, training, "auto", where)
        return outcome

    def damaged(self, number: int) -> Outcome:
        """The newest checkpoint cut short or altered, after every save but the first."""
        outcome = Outcome("newest checkpoint cut short, bit flipped")
        with self._timed(outcome):
            saves = len(self.untouched.saves) - 1  # the last one is not a checkpoint
            for place, save in enumerate(spread(number, saves, first=3)):
                training = self._new()
                ended = training.run(None, Fault(_kill, save=save, operation=1))
                self._expect(outcome, ended, -signal.SIGKILL)
                *_, before, newest = checkpoints.intact_checkpoints(training.model)
                what = damage(newest, place)
                said = (f"{newest.name} is skipped", f"Resuming from {before}")
                self._finish(outcome, training, "last", what, *said)
        return outcome

    def _new(self) -> Training:
        self._made += 1
        return Training(self._folder / str(self._made), self._data, self._arguments)

    def _times(self, number: int) -> list[float]:
        seconds = self.untouched.seconds
        return [(place + 0.5) / number * seconds for place in range(number)]

    def _at(self, outcome: Outcome, number: int, seconds: float, *, group: bool) -> Training:
        """A training that got a signal at a time; earlier where it was done by then."""
        for attempt in range(_ATTEMPTS):
            training = self._new()
            at = seconds * 0.9**attempt
            ended = training.run(None, signalled=(number, at, group))
            if ended.status in (-signal.SIGKILL, 130):
                break
            shutil.rmtree(training.folder)
        self._expect(outcome, ended, -signal.SIGKILL if number == signal.SIGKILL else 130)
        return training

    def _expect(self, outcome: Outcome, ended: Ended, status: int, *said: str) -> None:
        outcome.broken += 1
        missing = [text for text in said if text not in ended.printed]
        # Data workers whose training was killed may say so as they please.
        surprised = status != -signal.SIGKILL and "Traceback" in ended.printed
        if ended.status != status or missing or surprised:
            outcome.problems.append(
                f"exit status {ended.status}, not {status}; unsaid: {missing}; it printed:\n"
                f"{ended.printed[-2000:]}"
            )

    def _finish(
        self, outcome: Outcome, training: Training, resume: str, what: str, *said: str
    ) -> None:
        """Continue to the end, and compare."""
        ended = training.run(resume)
        found: list[str] = [f"exit status {ended.status}: {ended.printed[-1000:]}"]
        if ended.status == 0:
            found = differing(training.fingerprint(), self._expected)
        found += [f"it did not say: {text}" for text in said if text not in ended.printed]
        outcome.resumed += "Resuming from" in ended.printed
        outcome.identical += not found
        if found:
            outcome.problems.append(f"{what}: {'; '.join(found)}")
        self._say(f"{outcome.broken:4}  {what}: {'; '.join(found) or 'identical'}")
        for path in training.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_mount() else None

    @contextmanager
    def _timed(self, outcome: Outcome) -> Iterator[None]:
        began = time.monotonic()
        yield
        outcome.seconds = time.monotonic() - began


def can_mount() -> bool:
    """Whether a small disk can be made here."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        try:
            with _small_disk(Path(folder) / "disk"):
                return True
        except subprocess.CalledProcessError:
            return False


@contextmanager
def _small_disk(place: Path) -> Iterator[None]:
    place.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(place)]
    subprocess.run(mount, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _term() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def _term_group() -> None:
    os.killpg(os.getpgid(0), signal.SIGTERM)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--terms", type=int, default=0)
    parser.add_argument("--full-disks", type=int, default=0)
    parser.add_argument("--damaged", type=int, default=0)
    parser.add_argument("settings", nargs="*", help="more settings of the training")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(
            Path(folder), tuple(arguments.settings), say=lambda line: print(line, flush=True)
        )
        untouched = bench.untouched
        print(
            f"untouched: {untouched.batches} batches, {len(untouched.saves) - 1} saves of "
            f"{max(untouched.saves)} file operations at most, {untouched.seconds:.1f} s of training"
        )
        outcomes = []
        if arguments.kills:
            outcomes.append(bench.kills(arguments.kills))
        if arguments.terms:
            outcomes.append(bench.terms(arguments.terms))
        if arguments.full_disks and can_mount():
            outcomes.append(bench.full_disks(arguments.full_disks))
        elif arguments.full_disks:
            print("No small disk can be mounted here: the full disks are left out.")
        if arguments.damaged:
            outcomes.append(bench.damaged(arguments.damaged))
    print(f"\n{'what befell it':38} {'broken':>8} {'resumed':>8} {'identical':>10} {'seconds':>9}")
    for outcome in outcomes:
        print(outcome.row())
    problems = [problem for outcome in outcomes for problem in outcome.problems]
    print("\n".join(problems))
    raise SystemExit(1 if problems else 0)


if __name__ == "__main__":
    main()
