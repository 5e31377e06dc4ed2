"""What a run says before anything is spent, and the command to try next."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mynah import console
from mynah.config.values import argument
from mynah.files import display_path

if TYPE_CHECKING:
    from mynah.data.utterances import Utterances

_SCRIPTS = ("train_hydra.py", "train.py")  # what ``eval_checkpoint=`` is typed behind: the first


@dataclass(frozen=True)
class Outlook:
    """What a training is about to take.

    Attributes:
        model: The family's name.
        parameters: (part, parameters, trained parameters) of the model.
        training: Training utterances; of a stream the first ones.
        hours: Of audio in them.
        streamed: Whether they are a stream's.
        evaluation: Utterances of each evaluation split.
        tests: Of each that is measured once, at the end.
        steps: Optimizer steps.
        batches_per_epoch: Batches of an epoch, a rank.
        padding: Share of an epoch's padded audio that is padding, 0 to 1.
        device: In words.
        seconds_per_step: Of an optimizer step, estimated.
        peak_bytes: The most memory that the process will hold, estimated.
    """

    model: str
    parameters: Sequence[tuple[str, int, int]]
    training: Utterances
    hours: float
    streamed: bool
    evaluation: Mapping[str, Utterances]
    tests: Mapping[str, Utterances]
    steps: int
    batches_per_epoch: int
    padding: float
    device: str
    seconds_per_step: float
    peak_bytes: float


def summarize(outlook: Outlook) -> None:
    """Print what is about to be spent, before it is."""
    total = sum(row[1] for row in outlook.parameters)
    trainable = sum(row[2] for row in outlook.parameters)
    if outlook.streamed:
        training = f"streamed; estimated on its first {len(outlook.training):,} utterances"
        batches = "(training.max_steps), "
    else:
        training = _extent(outlook.training, outlook.hours)
        batches = f"of {outlook.batches_per_epoch:,} batches an epoch, "
    minutes = outlook.seconds_per_step * outlook.steps / 60
    rows = [
        ["model", f"{outlook.model}: {total:,} parameters, {trainable:,} trained"],
        *_parts(outlook.parameters),
        ["training", training],
        *([f"evaluation: {name}", _measured(one)] for name, one in outlook.evaluation.items()),
        *([f"at the end: {name}", _measured(one)] for name, one in outlook.tests.items()),
        ["steps", f"{outlook.steps:,} {batches}{outlook.padding:.1%} padding"],
        ["device", outlook.device],
        ["estimated time", f"{minutes:.1f} minutes of training"],
        ["estimated memory", f"{outlook.peak_bytes / 2**30:.1f} GiB"],
    ]
    console.table("This run", ["what", "how much"], rows)


def _measured(split: Utterances) -> str:
    return _extent(split, split.durations.sum() / 3600)


def _extent(split: Utterances, hours: float) -> str:
    return f"{len(split):,} utterances, {hours:.2f} h"


def _parts(parameters: Sequence[tuple[str, int, int]]) -> list[list[str]]:
    """A row for each part of a model of several parts, of which not all is trained."""
    if len(parameters) < 2 or all(total == trained for _, total, trained in parameters):
        return []
    return [
        [f"  {part}", f"{total:,} parameters, {f'{trained:,}' if trained else 'none'} trained"]
        for part, total, trained in parameters
    ]


def eval_command(checkpoint: str) -> str:
    """The command that measures a checkpoint, in the way this run was started."""
    if "HATCH_ENV_ACTIVE" in os.environ:
        return f"hatch run eval {shlex.quote(checkpoint)}"
    script = Path(sys.argv[0])
    if script.name in _SCRIPTS:
        program = display_path(script.with_name(_SCRIPTS[0]))
        return shlex.join(["python", program, argument("eval_checkpoint", checkpoint)])
    return f"mynah eval {shlex.quote(checkpoint)}"
