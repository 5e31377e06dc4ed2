"""The trainer's evaluations: when they are cut short, which is the best, what is left for later."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch

from mynah import distributed
from mynah.config.best_metric import best_metric, greater_is_better
from mynah.config.metrics import METRICS
from mynah.errors import UserError
from mynah.training.callbacks import say_scores
from mynah.training.guards.stops import EvaluationStopped
from mynah.training.resuming import state
from mynah.training.resuming.saving import CommittingTrainer

if TYPE_CHECKING:
    from mynah.training.guards.running_statistics import RunningStatistics
    from mynah.training.guards.stops import StopRequest

_PLATEAU = torch.optim.lr_scheduler.ReduceLROnPlateau


class MeasuringTrainer(CommittingTrainer):
    """A Trainer that measures by free-running decoding and knows its best step.

    An evaluation that a stop cuts short is done first by the training that is resumed, so that
    its log is that of one that was never stopped.

    Attributes:
        stop: Whether somebody asked to stop.
        interrupted: Whether the training stopped for that.
    """

    stop: StopRequest
    interrupted: bool
    _statistics: RunningStatistics
    _evaluate_model: Callable[[int], Mapping[str, float]]

    def _evaluate(
        self, trial: Any, ignore_keys_for_eval: Any, skip_scheduler: bool = False
    ) -> dict[str, float]:
        metrics = self.evaluate()
        if metrics and isinstance(self.lr_scheduler, _PLATEAU) and not skip_scheduler:
            self.lr_scheduler.step(metrics[self._best_name(metrics)])
        return metrics

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Measure the model; the random state is the same after as before.

        Returns:
            Metrics by name; empty where a signal cut the evaluation short.
        """
        step = self.state.global_step
        before = state.random_state(self.args.device)
        metrics: dict[str, float] = {}
        stopped_early = False
        try:
            with self._paused(), self.stop.evaluating():
                self.model.eval()
                self._statistics.take_from_first()
                found = self._evaluate_model(step)
            metrics = {
                name if name.startswith("eval_") else f"eval_{name}": float(value)
                for name, value in found.items()
            }
        except EvaluationStopped:
            stopped_early = True
        metrics = distributed.from_first(metrics)
        self.model.train()
        state.set_random_state(before, self.args.device)
        if stopped_early:
            self._pending_evaluation = True
            self.interrupt()
            return {}
        self._pending_evaluation = False
        self._scores, self._scores_step = metrics, step
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def _best_name(self, metrics: Mapping[str, float]) -> str:
        """The name of what checkpoints are compared by, among an evaluation's numbers."""
        asked = best_metric(self._config)
        offered = [name.removeprefix("eval_") for name in metrics]
        if asked is None:  # the first metric of the first split
            asked = next((name for name in offered if name in METRICS), None)
        if asked is None or asked not in offered:
            known = [name for name in offered if name in METRICS]
            raise UserError(
                f"The evaluation gives no {asked or 'metric'}; it gives "
                f"{', '.join(sorted(known)) or 'nothing'}.",
                where="training.metric_for_best_model",
                fix="training.metric_for_best_model=null",
            )
        return f"eval_{asked}"

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        if not metrics:
            return False
        value = metrics[self._best_name(metrics)]
        best = self.state.best_metric
        sign = -1.0 if greater_is_better(self._config) else 1.0
        improved = not math.isnan(value) and (best is None or sign * value < sign * best)
        if improved:
            self.state.best_metric = value
            self.state.best_global_step = self.state.global_step
            if self._wants_best:
                self.control.should_save = True
        if distributed.rank() == 0:
            say_scores(self.state.global_step, metrics, best=improved)
        return improved

    def interrupt(self) -> None:
        """Save and stop here; an evaluation that is due is left to the resumed training."""
        if self.control.should_evaluate:
            self._pending_evaluation = True
            self.control.should_evaluate = False
        self.control.should_save = True
        self.control.should_training_stop = True
        self.interrupted = True

    def catch_up(self) -> None:
        """Do the evaluation that an interruption left out, as if it had never been."""
        if not self._pending_evaluation or self._resumed_from is None:
            return
        self._load_rng_state(str(self._resumed_from))
        self.control.should_evaluate = True
        self.control.should_save = True
        self._maybe_log_save_evaluate(
            torch.zeros(()), None, self.model_wrapped, None, self.state.epoch, None, time.time()
        )
