"""A learning rate that follows the scores and not the steps."""

from __future__ import annotations

from typing import Any

from torch.optim.lr_scheduler import ReduceLROnPlateau


class MeasuredRate:
    """A plateau schedule that moves where the model is measured.

    Trainer steps every other kind of schedule after each optimizer step, and this kind with
    the metric of an evaluation; an evaluation that was cut short has none. To Trainer this one
    is of the other kind, and does nothing there.

    Args:
        schedule: Lowers the learning rate where its metric no longer improves.
    """

    def __init__(self, schedule: ReduceLROnPlateau) -> None:
        self._schedule = schedule

    def step(self) -> None:
        """Nothing after an optimizer step."""

    def measured(self, value: float) -> None:
        """Take note of a score."""
        self._schedule.step(value)

    def forget_scores(self) -> None:
        """Compare the next score with none before it; the learning rate stays as it is."""
        self._schedule.best = self._schedule.mode_worse
        self._schedule.num_bad_epochs = 0

    def get_last_lr(self) -> list[float]:
        """The learning rates of the optimizer's groups."""
        return [group["lr"] for group in self._schedule.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds of it."""
        return self._schedule.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave, but for the direction, which is the settings':
        a version before took the higher of two scores for the worse one, whatever they were."""
        mode = self._schedule.mode
        self._schedule.load_state_dict({**state, "mode": mode})
        if state.get("mode", mode) != mode:
            self.forget_scores()
