"""A training's evaluations: when they are cut short, which is the best, what is left for later."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Generic

from mynah import console, distributed
from mynah.config.best_metric import best_metric, greater_is_better, keeps_best
from mynah.config.plugins.metrics import METRICS
from mynah.data.positions import Key
from mynah.errors import UserError
from mynah.evaluation.decoding.decode import encoded_in_batch
from mynah.machine import is_out_of_memory
from mynah.runs.directory import log_directory
from mynah.runs.evaluations import StepScore, note_evaluation
from mynah.training.callbacks import say_scores
from mynah.training.guards.stops import EvaluationStopped
from mynah.training.optimizers.plateau import MeasuredRate
from mynah.training.resuming import state
from mynah.training.resuming.resume import other_measure

if TYPE_CHECKING:
    from transformers import Trainer

    from mynah.training.averaging.moving_average import MovingAverage
    from mynah.training.guards.running_statistics import RunningStatistics
    from mynah.training.guards.stops import StopRequest
    from mynah.training.job import Job
    from mynah.training.pauses import Pauses
    from mynah.training.sharding.placement import Replicated


class Measurer(Generic[Key]):
    """Measures by free-running decoding, and knows the best step.

    An evaluation that a stop cuts short is done first by the training that is resumed, so that
    its log is that of one that was never stopped.

    Args:
        trainer: Whose model is measured, and whose state knows the best step.
        job: The training.
        stop: Whether somebody asked to stop.
        pauses: Leave the evaluations out of the speed.
        statistics: Of the model; the ranks measure with the first one's.
        placement: Gives every rank the model in full, to decode with.
        average: Of the weights, which is what is measured; None: the weights themselves are.

    Attributes:
        interrupted: Whether the training stopped because somebody asked.
    """

    def __init__(
        self,
        trainer: Trainer,
        job: Job[Key],
        *,
        stop: StopRequest,
        pauses: Pauses,
        statistics: RunningStatistics,
        placement: Replicated,
        average: MovingAverage | None,
    ) -> None:
        self._trainer = trainer
        self._job = job
        self._stop = stop
        self._pauses = pauses
        self._statistics = statistics
        self._placement = placement
        self._average = average
        self._pending = False
        self._scores: dict[str, float] = {}
        self._scores_step = -1
        self._no_better = 0  # evaluations in a row, up to the last one
        self._measured_by = dict(job.measured_by)  # of the best score so far
        self.interrupted = False

    @property
    def pending(self) -> bool:
        """Whether an evaluation is left to the training that is resumed."""
        return self._pending

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds of it."""
        return {
            "pending_evaluation": self._pending,
            "no_better": self._no_better,
            "measured_by": self._measured_by,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`state` gave; say where it was measured in another way."""
        self._pending = state["pending_evaluation"]
        self._no_better = state.get("no_better", 0)  # a checkpoint of before has none
        before = state.get("measured_by", {})  # likewise
        if changed := other_measure(before, self._job.measured_by):
            self._measured_by = dict(before)
            self._no_better = 0  # they count from here on, also where patience was at its end
            console.notice(
                f"What is measured, or how, is not as it was ({', '.join(changed)}): scores from "
                "here on are not compared with those before, and the first of them is the best so "
                "far. The best before is then kept as any other (training.save_total_limit)."
            )

    @property
    def out_of_patience(self) -> bool:
        """Whether ``training.early_stopping_patience`` evaluations in a row improved nothing."""
        patience = self._job.config.training.early_stopping_patience
        return patience is not None and self._no_better >= patience

    def scores_at(self, step: int) -> dict[str, float]:
        """The scores of a step; empty where it was not measured."""
        return self._scores if self._scores_step == step else {}

    def compares(self, about: Mapping[str, Any]) -> bool:
        """Whether the scores in a checkpoint's ``mynah.json`` are such as the best one so far."""
        training = about.get("training")
        by = training.get("measured_by") if isinstance(training, dict) else None
        return not other_measure(by if isinstance(by, dict) else {}, self._measured_by)

    @property
    def wants_best(self) -> bool:
        """Whether the best checkpoint is kept."""
        return keeps_best(self._job.config)

    def measure(self) -> dict[str, float]:
        """Measure the model; the random state is the same after as before.

        Returns:
            Metrics by name; empty where a signal cut the evaluation short.

        Raises:
            UserError: ``training.metric_for_best_model`` is none of them; or memory ran out.
        """
        trainer, model = self._trainer, self._job.family.model
        step = trainer.state.global_step
        before = state.random_state(trainer.args.device)
        metrics: dict[str, float] = {}
        stopped_early = False
        try:
            averaged = self._average.in_model() if self._average else nullcontext()
            full = self._placement.in_full()
            with self._pauses.pause(), averaged, full, self._stop.evaluating():
                model.eval()
                self._statistics.take_from_first()
                found = self._job.evaluate(step)
            metrics = {
                name if name.startswith("eval_") else f"eval_{name}": float(value)
                for name, value in found.items()
            }
        except EvaluationStopped:
            stopped_early = True
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                raise self._too_large(error) from error
            raise
        metrics = distributed.from_first(metrics)
        model.train()
        state.set_random_state(before, trainer.args.device)
        if stopped_early:
            self._pending = True
            self.interrupt()
            return {}
        self._pending = False
        self._scores, self._scores_step = metrics, step
        trainer.log(dict(metrics))
        trainer.control = trainer.callback_handler.on_evaluate(
            trainer.args, trainer.state, trainer.control, metrics
        )
        if metrics and step:
            self._take_score(metrics)
        elif metrics and distributed.rank() == 0:  # nothing has been learned yet: never the best
            say_scores(step, metrics, best=False)
        return metrics

    def _too_large(self, error: BaseException) -> UserError:
        """Memory ran out in an evaluation, which no setting of the training's own steps helps."""
        training = self._job.config.training
        size = training.per_device_eval_batch_size
        if size is None:
            seconds = encoded_in_batch(training.eval_batch_seconds, self._job.family.model)
            smaller = f"set training.eval_batch_seconds={seconds / 2:g}"
        else:
            smaller = f"set training.per_device_eval_batch_size={size // 2}"
        smaller += ", with which it may be resumed as well"
        if size == 1:
            smaller = "leave the longest utterances out of what is measured: none shares a batch"
        said = (str(error).splitlines() or [""])[0]
        return UserError(
            "The memory is too small for the evaluation" + (f": {said}" if said else "."),
            where=f"after step {self._trainer.state.global_step}",
            fix=f"{smaller}; where a beam search decodes, fewer beams (model.beam_size)",
        )

    def _take_score(self, metrics: dict[str, float]) -> None:
        """Let the learning rate follow the scores, and see whether they are the best."""
        trainer = self._trainer
        schedule = trainer.lr_scheduler
        name = self.best_name(metrics)
        value = metrics[name]
        if not math.isnan(value) and other_measure(self._measured_by, self._job.measured_by):
            self._measured_by = dict(self._job.measured_by)
            trainer.state.best_metric, self._no_better = None, 0
            if isinstance(schedule, MeasuredRate):
                schedule.forget_scores()
        if isinstance(schedule, MeasuredRate):
            schedule.measured(value)
        best = trainer.state.best_metric
        sign = -1.0 if greater_is_better(self._job.config) else 1.0
        improved = not math.isnan(value) and (best is None or sign * value < sign * best)
        # As transformers' EarlyStoppingCallback counts.
        threshold = self._job.config.training.early_stopping_threshold
        counts = improved and (best is None or abs(value - best) > threshold)
        self._no_better = 0 if counts else self._no_better + 1
        if improved:
            trainer.state.best_metric = value
            trainer.state.best_global_step = trainer.state.global_step
            if self.wants_best:
                trainer.control.should_save = True
        if distributed.rank() == 0:
            step = trainer.state.global_step
            say_scores(step, metrics, best=improved)
            note_evaluation(
                log_directory(self._job.output_directory),
                StepScore(step, self._job.steps_total, name.removeprefix("eval_"), value),
            )
        if self.out_of_patience:
            self._stop_early()

    def _stop_early(self) -> None:
        """End the training here, as its last step would, with a checkpoint."""
        control = self._trainer.control
        control.should_save = control.should_training_stop = True
        if distributed.rank() == 0 and self._trainer.state.global_step < self._job.steps_total:
            console.say(
                f"Stopping early: {self._no_better} evaluation(s) in a row did not improve on "
                f"step {self._trainer.state.best_global_step or 0:,} "
                "(training.early_stopping_patience)"
            )

    def best_name(self, metrics: Mapping[str, float]) -> str:
        """The name of what checkpoints are compared by, among an evaluation's numbers."""
        asked = best_metric(self._job.config)
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

    def interrupt(self) -> None:
        """Save and stop here; an evaluation that is due is left to the resumed training.

        Before the first step nothing is saved: the same command begins again.
        """
        control = self._trainer.control
        if control.should_evaluate:
            self._pending = True
            control.should_evaluate = False
        control.should_save = self._trainer.state.global_step > 0
        control.should_training_stop = True
        self.interrupted = True
