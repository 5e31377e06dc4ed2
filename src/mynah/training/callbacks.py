"""When to log, measure, save and stop; and what a person sees of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

from transformers import TrainerCallback

from mynah import console
from mynah.evaluation.logged import logged
from mynah.training.arguments import interval

if TYPE_CHECKING:
    from mynah.config.schema import TrainingConfig

_SILENT_SECONDS = 30.0  # the longest without a line where there is no bar


class Stoppable(Protocol):
    """The trainer as :class:`Schedule` needs it."""

    def catch_up(self) -> None:
        """Do the evaluation that an interruption left out."""

    def stop_asked(self) -> bool:
        """Whether a stop was asked for."""

    def interrupt(self) -> None:
        """Save and stop here."""


class ProgressSource(Protocol):
    """The trainer as :class:`Progress` needs it.

    Attributes:
        audio_seconds: Audio trained on in this call, by all ranks.
        running_loss: Loss a token since the last log line.
        stream_pass: Which pass over a stream is read, from 0; None: epochs are known.
    """

    @property
    def audio_seconds(self) -> float: ...

    @property
    def running_loss(self) -> float: ...

    @property
    def stream_pass(self) -> int | None: ...


class Begun(Protocol):
    """The trainer as :class:`Beginnings` needs it."""

    def begin_training(self) -> None:
        """Called once the optimizer and its schedule are there."""

    def begin_epoch(self) -> None:
        """Called before an epoch's first batch is asked for."""

    def end_step(self) -> None:
        """Called after an optimizer step, before anything is measured or saved."""


class Beginnings(TrainerCallback):
    """Tells the trainer where its loop begins, where an epoch of it does, and where a step ends.

    Args:
        trainer: The trainer.
    """

    def __init__(self, trainer: Begun) -> None:
        self._trainer = trainer

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._trainer.begin_training()

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._trainer.begin_epoch()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._trainer.end_step()


class Schedule(TrainerCallback):
    """Decides at each step what is done after it.

    An epoch's end is known from the step's number and not from Trainer's event: all that
    belongs to a step then happens before the checkpoint of that step, and a training resumed
    from it has missed nothing.

    Args:
        trainer: The trainer; asked to stop through its ``stop``.
        training: The settings.
        steps_per_epoch: Optimizer steps of an epoch.
        steps_total: Steps of the full training.
    """

    def __init__(
        self,
        trainer: Stoppable,
        training: TrainingConfig,
        *,
        steps_per_epoch: int,
        steps_total: int,
    ) -> None:
        self._trainer = trainer
        self._training = training
        self._steps_per_epoch = steps_per_epoch
        self._steps_total = steps_total
        self._logging_steps = interval(training.logging_steps, steps_total)
        self._eval_steps = interval(training.eval_steps, steps_total) or self._logging_steps
        self._save_steps = interval(training.save_steps, steps_total)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Do the evaluation that an interruption left out."""
        self._trainer.catch_up()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        step = state.global_step
        epoch_ends = step % self._steps_per_epoch == 0
        last = step >= self._steps_total
        training = self._training
        logging_strategy = getattr(training, "logging_strategy", None) or "steps"
        control.should_log = (
            last
            or _due(str(logging_strategy), step, self._logging_steps, epoch_ends)
            or (step == 1 and bool(getattr(training, "logging_first_step", False)))
        )
        delay = float(getattr(training, "eval_delay", 0) or 0)
        position = state.epoch if training.eval_strategy == "epoch" else step
        control.should_evaluate = training.eval_strategy != "no" and (
            last
            or (
                _due(training.eval_strategy, step, self._eval_steps, epoch_ends)
                and position >= delay
            )
        )
        control.should_save = last or _due(
            training.save_strategy, step, self._save_steps, epoch_ends
        )
        if self._trainer.stop_asked():
            self._trainer.interrupt()
        if last:
            control.should_training_stop = True


def _due(strategy: str, step: int, every: int | None, epoch_ends: bool) -> bool:
    if strategy == "epoch":
        return epoch_ends
    return strategy == "steps" and every is not None and step % every == 0


class Progress(TrainerCallback):
    """A bar on a terminal, lines elsewhere: loss, learning rate, speed, time left.

    Args:
        trainer: The trainer; asked for its running loss and audio seconds.
        bar: Whether a bar is wanted.
    """

    def __init__(self, trainer: ProgressSource, *, bar: bool) -> None:
        self._trainer = trainer
        self._bar = bar and console.console().is_terminal
        self._open = ExitStack()
        self._advance: Any = None
        self._note = ""
        self._pause = 0.0
        self._first_step = 0
        self._start_clock()

    def _start_clock(self) -> None:
        self._started = self._spoken = time.monotonic()
        self._speed_from = (self._started, self._trainer.audio_seconds, self._pause)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._start_clock()
        self._first_step = state.global_step
        if self._bar and state.global_step < state.max_steps:
            shown = console.progress("training", total=state.max_steps, unit="steps")
            self._advance = self._open.enter_context(shown)
            if state.global_step:
                self._advance(state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._advance is not None:
            self._advance(1, note=self._note)
        elif time.monotonic() - self._spoken > _SILENT_SECONDS and not control.should_log:
            rate = kwargs["optimizer"].param_groups[0]["lr"]
            self._say(state, {"loss": self._trainer.running_loss, "learning_rate": rate})

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if "loss" in kwargs["logs"]:
            self._say(state, kwargs["logs"])

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.close()

    def close(self) -> None:
        """Take the bar away."""
        self._advance = None
        self._open.close()

    def add_pause(self, seconds: float) -> None:
        """Leave time spent on an evaluation or a checkpoint out of the speed."""
        self._pause += seconds

    def _say(self, state: Any, logs: dict[str, float]) -> None:
        now = time.monotonic()
        self._spoken = now
        since, audio_before, pause_before = self._speed_from
        busy = max(now - since - (self._pause - pause_before), 1e-9)
        speed = (self._trainer.audio_seconds - audio_before) / busy
        self._speed_from = (now, self._trainer.audio_seconds, self._pause)
        done = max(state.global_step - self._first_step, 1)
        left = (now - self._started) / done * (state.max_steps - state.global_step)
        passes = self._trainer.stream_pass
        parts = [
            f"step {state.global_step:,}/{state.max_steps:,}",
            f"epoch {state.epoch:.2f}" if passes is None else f"pass {passes + 1}",
            f"loss {logs['loss']:.4f}",
            f"learning rate {logs['learning_rate']:.2e}",
        ]
        if "grad_norm" in logs:
            parts.append(f"gradient {logs['grad_norm']:.3g}")
        parts += [f"{speed:,.0f} audio s/s", f"{duration(left)} left"]
        if "loader_wait" in logs:
            parts.append(f"{logs['loader_wait']:.1%} waiting for data")
        self._note = f"loss {logs['loss']:.3f}, {speed:,.0f} audio s/s"
        console.say("  ".join(parts))


def duration(seconds: float) -> str:
    """A time for a person: ``45 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def say_scores(step: int, metrics: Mapping[str, float], *, best: bool) -> None:
    """One line with what an evaluation came to: the first split's metrics, others' first one."""
    found = logged(metrics)
    first = [f"{one.metric.label} {one.shown}" for one in found if not one.split]
    others: dict[str, str] = {}
    for one in found:
        if one.split:
            others.setdefault(one.split, f"{one.split} {one.metric.label} {one.shown}")
    text = "  ".join([*first, *others.values()]) or "no scores"
    console.say(f"step {step:,}: {text}{'  (best so far)' if best else ''}")
