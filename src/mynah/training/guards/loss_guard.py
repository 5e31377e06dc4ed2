"""Steps that must not count: a loss that is NaN, infinite, or has exploded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from mynah import console
from mynah.errors import UserError
from mynah.files import write_json

BAD_STEPS_FOLDER = "bad_batches"
_AVERAGED_STEPS = 50  # that the running average forgets over
_SETTLED_STEPS = 20  # before this many nothing is called an explosion
_NAMED = 5  # utterances named in a line
_REASONS = 2  # reasons named at the end of a training


@dataclass(frozen=True)
class StepBatch:
    """One batch of an optimizer step, as far as a person needs it to look into it.

    Attributes:
        ids: Its utterances.
        seconds: Its audio.
        loss: Its mean loss a token.
    """

    ids: list[str]
    seconds: float
    loss: float


class LossGuard:
    """Judges the loss of every optimizer step, and ends a training that gives too many bad ones.

    A loss has exploded where it is ``factor`` times the running average and twice the highest
    average so far: a hard batch late in a training is neither.

    Args:
        directory: Bad batches are written to ``bad_batches/`` in it.
        most: Bad steps in a row that are one too many.
        factor: See above; 0 calls nothing an explosion.
    """

    def __init__(self, directory: Path, *, most: int, factor: float) -> None:
        self._bad_steps = directory / BAD_STEPS_FOLDER
        self._most = most
        self._factor = factor
        self._bad = 0
        self._good = 0
        self._average = 0.0
        self._highest = 0.0
        self._reasons: list[str] = []  # of this call, each once

    @property
    def good(self) -> int:
        """Steps that changed the model, those before a resume included."""
        return self._good

    def state(self) -> dict[str, float]:
        """What a resumed training needs to judge alike."""
        return {
            "bad": self._bad,
            "good": self._good,
            "average": self._average,
            "highest": self._highest,
        }

    def restore(self, state: dict[str, float]) -> None:
        """Take over what :meth:`state` gave."""
        self._bad, self._good = int(state["bad"]), int(state["good"])
        self._average, self._highest = state["average"], state["highest"]

    def judge(self, loss: float) -> str | None:
        """What is wrong with a step's mean loss a token, as part of a sentence, or None."""
        if not math.isfinite(loss):
            return "the loss is not finite"
        limit = max(self._factor * self._average, 2 * self._highest)
        if self._factor and self._good >= _SETTLED_STEPS and loss > limit:
            return f"the loss exploded to {loss:.3g} from {self._average:.3g}"
        return None

    def accept(self, loss: float) -> None:
        """Count a good step."""
        self._bad = 0
        self._good += 1
        weight = 1 / min(self._good, _AVERAGED_STEPS)
        self._average += weight * (loss - self._average)
        self._highest = max(self._highest, self._average)

    def reject(self, step: int, reason: str, batches: list[StepBatch], *, rank: int = 0) -> None:
        """Name and write down the batches of a bad step, and count it.

        Args:
            step: The optimizer step.
            reason: From :meth:`judge`, or what else was wrong.
            batches: What this rank put into it; those that are not worse than the others are
                written down too.
            rank: Of this process.

        Raises:
            UserError: It is one too many in a row.
        """
        self._bad += 1
        if reason not in self._reasons:
            self._reasons.append(reason)
        worst = sorted(batches, key=_badness, reverse=True)
        ids = worst[0].ids if worst else []
        named = ", ".join(ids[:_NAMED]) + (f" and {len(ids) - _NAMED} more" * (len(ids) > _NAMED))
        file = self._bad_steps / f"step-{step}{f'-rank-{rank}' if rank else ''}.json"
        self._write(file, step, reason, worst)
        console.notice(
            f"Step {step:,} is left out: {reason}. Utterances: {named or 'none'} ({file.name} in "
            f"{BAD_STEPS_FOLDER}/)"
        )
        if self._bad >= self._most:
            raise UserError(
                f"{self._bad} steps in a row gave no usable gradient: {reason}.",
                where=f"step {step}; the batches are listed in {file.parent}",
                fix="lower training.learning_rate or fix those utterances, then resume from the "
                "last good checkpoint: resume_from_checkpoint=last (training.max_bad_steps is "
                f"{self._most})",
            )

    def account(self, steps: int, unusable: Mapping[str, str], *, stopped: bool = False) -> None:
        """Say how many steps a training left out, at its end.

        Args:
            steps: The optimizer steps it came to, those before a resume included.
            unusable: Why utterances could not be used, by id.
            stopped: Whether it was stopped before its end, and may still learn.

        Raises:
            UserError: All of them were left out, so that nothing was learned.
        """
        left_out = steps - self._good
        if left_out <= 0:
            return
        why = "; ".join(self._reasons[:_REASONS])
        if self._good or stopped:
            console.notice(f"{left_out:,} of {steps:,} steps left out" + f": {why}." * bool(why))
            return
        rows = [f"{name}: {reason}" for name, reason in islice(unusable.items(), _REASONS)]
        raise UserError(
            f"Nothing was learned: all {steps:,} steps were left out" + f" ({why})." * bool(why),
            where="; ".join(rows) or f"the batches are listed in {self._bad_steps}",
            fix="fix those utterances or lower training.learning_rate, then train from scratch",
        )

    def _write(self, file: Path, step: int, reason: str, batches: list[StepBatch]) -> None:
        content: dict[str, Any] = {
            "step": step,
            "reason": reason,
            "batches": [
                {
                    "loss": batch.loss if math.isfinite(batch.loss) else str(batch.loss),
                    "seconds": round(batch.seconds, 3),
                    "utterances": batch.ids,
                }
                for batch in batches
            ],
        }
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_json(file, content, indent=1)
        except OSError as problem:
            console.notice(f"{file} cannot be written: {problem.strerror or problem}")


def _badness(batch: StepBatch) -> float:
    return math.inf if not math.isfinite(batch.loss) else batch.loss
