"""A small training of the real stack that can be broken at any place, in a forked process.

Everything is imported once; each training is a fork that runs ``mynah train`` as typed. It has
what makes exact resuming hard: two corpora mixed by weight, two data workers, speed, noise and
SpecAugment, dropout, two batches a step, six epochs, evaluations and best checkpoints.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

import mynah.cli.main
import mynah.cli.shared.entry
import mynah.evaluation.evaluate
import mynah.evaluation.report
import mynah.models.ctc.family
import mynah.run
import mynah.training.engine
import mynah.training.trainer
from mynah.checkpoints import commit as checkpoints
from mynah.runs.directory import SUMS, named_checkpoints

RATE = 16000
LETTERS = "abcdefgh"
RUNS = "outputs"
_OPERATIONS = "operations.json"
_PRINTED = "printed.txt"
_BALLAST = ".ballast"
_WATCHED = ("open", "os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.chmod")
# What says where and how a run was typed; every other file of a checkpoint is its state.
_NOT_STATE = {"config.yaml", "data.json", SUMS}

# Saves, logs and evaluations fall on different steps, so that none repairs another's loss.
ARGUMENTS = (
    "model=fastconformer",
    "data.mixture={tones: {weight: 2}, hums: {weight: 1}}",
    "data.augmentation.speed_factors=[0.9,1.0,1.1]",
    "data.augmentation.noise_snr_db=[10,20]",
    "data.augmentation.spec_augment.time_masks=2",
    "data.augmentation.spec_augment.frequency_masks=1",
    "data.on_leak=ignore",
    "data.num_proc=1",
    "model.encoder={hidden_size: 16, layers: 1, heads: 2, feed_forward_size: 32, "
    "subsampling_channels: 8, dropout: 0.1}",
    "model.tokenizer=character",
    "model.language_model=none",
    "training.max_steps=24",  # of 4 an epoch
    "training.batch_seconds=8",
    "training.gradient_accumulation_steps=2",
    "training.learning_rate=0.01",
    "training.dataloader_num_workers=2",
    "training.cpu_threads=1",
    "training.use_cpu=true",
    "training.logging_steps=3",
    "training.eval_steps=2",
    "training.save_steps=4",
    "training.save_total_limit=2",
    "training.show_examples=0",
    "training.report_to=[]",
    "evaluation.bootstrap_samples=20",
)


def write_corpora(folder: Path, rows: int = 14) -> None:
    """Two folders of recordings in which a pitch stands for a letter."""
    for number, name in enumerate(("tones", "hums")):
        draw = np.random.default_rng(number)
        directory = folder / name
        directory.mkdir(parents=True)
        listed = []
        for row in range(rows):
            text = "".join(draw.choice(list(LETTERS), 2 + row % 4))
            seconds = np.arange(RATE // 2) / RATE
            pitches = [150 * (2 + LETTERS.index(letter)) * (1 + number / 20) for letter in text]
            audio = np.concatenate([np.sin(2 * np.pi * pitch * seconds) for pitch in pitches])
            file = f"{name}-{row:02d}.wav"
            soundfile.write(directory / file, 0.5 * audio, RATE)
            listed.append((file, text, "validation" if row % 7 == 6 else "train"))
        with (directory / "metadata.csv").open("w", newline="") as metadata:
            csv.writer(metadata).writerows([("file_name", "text", "split"), *listed])


@dataclass(frozen=True)
class Fault:
    """What befalls a training, at one place.

    Attributes:
        act: Does it, in the training's own process.
        batch: Before which batch, counted from 1 in this process; None: at no batch.
        save: At an operation of which save, counted from 1; the last one is the publishing of
            the best model.
        operation: At which operation on a file in that save, counted from 1.
    """

    act: Callable[[], None] = lambda: None
    batch: int | None = None
    save: int | None = None
    operation: int | None = None

    @property
    def place(self) -> str:
        """Where, for a person."""
        if self.save is None:
            return f"before batch {self.batch}"
        return f"at operation {self.operation} of save {self.save}"

    def install(self, marker: int) -> None:
        """Lie in wait in this process; write a byte where training begins and where it ends."""
        engine, main = mynah.training.engine.MynahTrainer, os.getpid()
        step, save, close = engine.training_step, engine._save_checkpoint, engine.close
        publish, fsync = checkpoints.copy_to_model_directory, os.fsync
        batches, saving = 0, False
        counts: list[int] = []

        def counted_step(*arguments: Any, **options: Any) -> Any:
            nonlocal batches
            batches += 1
            if batches == 1:
                os.write(marker, b"b")
            if batches == self.batch:
                self.act()
            return step(*arguments, **options)

        def operation() -> None:
            if not saving or os.getpid() != main:
                return
            counts[-1] += 1
            if (len(counts), counts[-1]) == (self.save, self.operation):
                self.act()

        def counted(action: Callable[..., Any]) -> Callable[..., Any]:
            def within(*arguments: Any, **options: Any) -> Any:
                nonlocal saving
                counts.append(0)
                saving = True
                try:
                    return action(*arguments, **options)
                finally:
                    saving = False
                    Path(_OPERATIONS).write_text(json.dumps({"batches": batches, "saves": counts}))

            return within

        def ended(trainer: Any) -> None:
            os.write(marker, b"e")
            close(trainer)

        def synced(descriptor: int) -> None:
            operation()
            fsync(descriptor)

        def audit(event: str, arguments: tuple[Any, ...]) -> None:
            if event in _WATCHED:
                operation()

        engine.training_step = counted_step  # type: ignore[method-assign]
        engine._save_checkpoint = counted(save)  # type: ignore[method-assign]
        engine.close = ended  # type: ignore[assignment, method-assign]
        checkpoints.copy_to_model_directory = counted(publish)
        os.fsync = synced  # type: ignore[assignment]
        sys.addaudithook(audit)


@dataclass(frozen=True)
class Ended:
    """How a training ended.

    Attributes:
        status: Its exit status, negative for a signal.
        printed: All that it wrote on the screen.
        seconds: From its first batch to the end of its training, or of the process.
        batches: Batches that it took.
        saves: Operations on files in each of its saves.
    """

    status: int
    printed: str
    seconds: float
    batches: int = 0
    saves: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Training:
    """One training in a folder of its own, which may resume as often as it is stopped.

    Attributes:
        folder: Where the command is typed.
        data: The folder with the corpora, and the cache of what is prepared of them.
        arguments: More settings.
    """

    folder: Path
    data: Path
    arguments: tuple[str, ...] = ()

    def run(
        self,
        resume: str | None = None,
        fault: Fault | None = None,
        *,
        signalled: tuple[int, float, bool] | None = None,
    ) -> Ended:
        """Type the command once and wait for its end.

        Args:
            resume: ``resume_from_checkpoint``.
            fault: What befalls it.
            signalled: A signal, how many seconds after the first batch it is sent, and whether
                the data workers get it too.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / _OPERATIONS).unlink(missing_ok=True)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            self._live(resume, fault or Fault(), writing)
        os.close(writing)
        began = ended = time.monotonic()
        try:
            if os.read(reading, 1) == b"b":
                began = time.monotonic()
                if signalled is not None:
                    number, seconds, group = signalled
                    select.select([reading], [], [], seconds)
                    (os.killpg if group else os.kill)(child, number)
                os.read(reading, 1)
                ended = time.monotonic()
        finally:
            os.close(reading)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # workers whose parent was killed
        counted = {}
        if (self.folder / _OPERATIONS).exists():
            counted = json.loads((self.folder / _OPERATIONS).read_text())
        printed = (self.folder / _PRINTED).read_text(errors="replace")
        return Ended(status, printed, ended - began, **counted)

    def _live(self, resume: str | None, fault: Fault, marker: int) -> None:
        os.setsid()
        os.chdir(self.folder)
        descriptor = os.open(_PRINTED, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(descriptor, stream)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")  # a test replaces them
        os.environ |= {"MYNAH_CACHE": str(self.data / "cache"), "COLUMNS": "200"}
        status = 70
        try:
            fault.install(marker)
            own = [f"data.mixture.{name}.dataset_name={self.data / name}" for name in _CORPORA]
            going_on = [f"resume_from_checkpoint={resume}"] if resume else []
            status = mynah.cli.main.main(["train", *ARGUMENTS, *own, *self.arguments, *going_on])
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    @property
    def model(self) -> Path:
        """The model directory of the run that saved last."""
        return (self.folder / RUNS / "model").resolve()

    def fingerprint(self) -> dict[str, str]:
        """SHA-256 of all that the training came to: the files of its last checkpoint (weights,
        optimizer, schedule, random state, log, scores), the published model, the error rates."""
        newest = named_checkpoints(self.model)[-1]
        found = {
            f"last/{path.relative_to(newest)}": _sha256(path)
            for path in sorted(newest.rglob("*"))
            if path.is_file() and path.name not in _NOT_STATE
        }
        found["last"] = newest.name
        for path in sorted(self.model.glob("*.safetensors")):
            found[path.name] = _sha256(path)
        results = json.loads((self.model.parent / "evaluation" / "results.json").read_text())
        for split, rates in results["evaluations"].items():
            found[f"error rates of {split}"] = f"{rates['wer']} {rates['cer']}"
        return found

    def fill_disk(self) -> None:
        """Take all that is free where the runs lie."""
        with (Path(RUNS) / _BALLAST).open("wb", buffering=0) as ballast:
            try:
                for size in (1 << 16, 1 << 12, 1):
                    try:
                        while True:
                            ballast.write(bytes(size))
                    except OSError:
                        continue
            except OSError:
                return

    def free_disk(self) -> None:
        """Give it back."""
        (self.folder / RUNS / _BALLAST).unlink()


_CORPORA = ("tones", "hums")


def differing(left: dict[str, str], right: dict[str, str]) -> list[str]:
    """What is not the same in two fingerprints."""
    return [name for name in sorted({*left, *right}) if left.get(name) != right.get(name)]


def spread(number: int, last: int, first: int = 1) -> list[int]:
    """So many whole numbers, evenly over [first, last]; a single one lies in the middle."""
    if number == 1:
        return [(first + last) // 2]
    return [int(value) for value in np.linspace(first, last, number).round()]


def damage(directory: Path, number: int) -> str:
    """Cut a file short or flip one bit of it: which and where, by the number; what was done."""
    draw = np.random.default_rng(number)
    files = sorted(path for path in directory.rglob("*") if path.is_file() and path.stat().st_size)
    path = files[int(draw.integers(len(files)))]
    content = bytearray(path.read_bytes())
    place = int(draw.integers(len(content)))
    if number % 2:
        path.write_bytes(content[:place])
        return f"{path.name} cut to {place} bytes"
    content[place] ^= 1 << int(draw.integers(8))
    path.write_bytes(content)
    return f"a bit of {path.name} flipped at {place}"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def operations_of(saves: Sequence[int], number: int) -> list[tuple[int, int]]:
    """(save, operation) places, spread evenly over all operations of some saves.

    Args:
        saves: Operations of each save, from the first on.
        number: How many places.
    """
    ends = np.cumsum(saves)
    places = []
    for at in spread(number, int(ends[-1])):
        save = int(np.searchsorted(ends, at))
        places.append((save + 1, at - int(ends[save]) + saves[save]))
    return places
