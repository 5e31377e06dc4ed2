"""The best checkpoint can only be chosen among those that are saved and measured."""

from __future__ import annotations

from mynah.config.checks.checker import Checker
from mynah.config.values import typed

_NOTHING_IS_BEST = ("training.load_best_model_at_end=false",)


def check_best_model(checker: Checker) -> None:
    """Report when measuring and saving do not go together."""
    training = checker.config.training
    if checker.config.eval_checkpoint is not None:
        return
    evaluates = training.eval_strategy != "no"
    if evaluates and checker.config.data.eval_splits == []:
        checker.wrong(
            "training.eval_strategy",
            "There is nothing to evaluate on: data.eval_splits is empty.",
            ["training.eval_strategy=no", *_NOTHING_IS_BEST]
            if training.load_best_model_at_end
            else "training.eval_strategy=no",
        )
        return
    _check_what_needs_scores(checker, evaluates=evaluates)
    if training.save_strategy == "best" and not evaluates:
        checker.wrong(
            "training.save_strategy",
            "To save what is best, it has to be measured: training.eval_strategy is no.",
            "training.save_strategy=steps",
        )
    if not training.load_best_model_at_end or training.save_strategy == "best":
        return
    if not evaluates or training.save_strategy == "no":
        off = "eval_strategy" if not evaluates else "save_strategy"
        checker.wrong(
            "training.load_best_model_at_end",
            "The best checkpoint can only be chosen among saved and measured ones: "
            f"training.{off} is no.",
            "training.load_best_model_at_end=false",
        )
    elif training.eval_strategy != training.save_strategy:
        checker.wrong(
            "training.save_strategy",
            "The best checkpoint is wanted, so saving goes with measuring: training.save_strategy "
            f"is {training.save_strategy}, training.eval_strategy is {training.eval_strategy}.",
            f"training.save_strategy={training.eval_strategy}",
        )
    elif training.eval_strategy == "steps":
        measured = training.eval_steps or training.logging_steps
        saved = training.save_steps or measured
        if (measured < 1) != (saved < 1) or not _is_multiple(saved, measured):
            nearest = (
                max(round(saved / measured), 1) * measured if saved >= 1 <= measured else measured
            )
            checker.wrong(
                "training.save_steps",
                "The best checkpoint is wanted, so each one saved must be measured: "
                f"training.save_steps={typed(saved)} is not a multiple of "
                f"training.eval_steps={typed(measured)}.",
                f"training.save_steps={steps_text(nearest)}",
            )


def _check_what_needs_scores(checker: Checker, *, evaluates: bool) -> None:
    """What ends or makes a model by its scores needs some."""
    training = checker.config.training
    if training.early_stopping_patience is not None and not evaluates:
        checker.wrong(
            "training.early_stopping_patience",
            "To stop when nothing gets better, it has to be measured: training.eval_strategy is "
            "no.",
            "training.early_stopping_patience=null",
        )
    if training.average_checkpoints is not None and not training.load_best_model_at_end:
        checker.wrong(
            "training.average_checkpoints",
            "What is averaged is the best, so the best has to be known: "
            "training.load_best_model_at_end is false.",
            "training.load_best_model_at_end=true",
        )


def _is_multiple(saved: float, measured: float) -> bool:
    times = saved / measured
    return times >= 1 - 1e-9 and abs(times - round(times)) < 1e-9


def steps_text(value: float) -> str:
    return str(int(value)) if value == int(value) else typed(value)
