"""``evaluations.jsonl``: what each evaluation of a running training came to, as soon as it did.

For who watches it from outside, as a search that stops trainings that do badly.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

EVALUATIONS_FILE = "evaluations.jsonl"


@dataclass(frozen=True)
class StepScore:
    """What checkpoints are compared by, at one step.

    Attributes:
        step: Optimizer steps done.
        steps: Steps of the full training.
        metric: The metric's name, as ``wer``.
        value: Its value on the first evaluation split.
    """

    step: int
    steps: int
    metric: str
    value: float


def note_evaluation(directory: Path, score: StepScore) -> None:
    """Add an evaluation to those of a training.

    Args:
        directory: Where the training's logs are.
        score: What it came to.
    """
    # A full disk costs a line here, never the training.
    with suppress(OSError), (directory / EVALUATIONS_FILE).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(score)) + "\n")


def read_evaluations(directory: Path) -> list[StepScore]:
    """The evaluations of a training by their steps.

    A resumed training measures again what it had measured after its checkpoint: the later line of
    a step is the one that counts.
    """
    found = {score.step: score for score in _lines(directory / EVALUATIONS_FILE)}
    return [found[step] for step in sorted(found)]


def _lines(path: Path) -> Iterator[StepScore]:
    """Each line that is complete: a killed process may leave part of one."""
    with suppress(OSError):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError, TypeError):
                score = StepScore(**json.loads(line))
                if isinstance(score.step, int) and isinstance(score.value, int | float):
                    yield score
