"""The gradient of an optimizer step: summed over every batch and rank, divided once."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic

import torch

from mynah import console, distributed
from mynah.data.positions import Key, Position
from mynah.errors import UserError
from mynah.runs.directory import log_directory
from mynah.training.guards.loss_guard import LossGuard, StepBatch
from mynah.training.guards.running_statistics import RunningStatistics
from mynah.training.guards.skipped_rows import SkippedRows
from mynah.training.sharding.tensors import own_part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transformers import Trainer

    from mynah.training.guards.stops import StopRequest
    from mynah.training.guards.time_limit import TimeLimit
    from mynah.training.job import Job
    from mynah.training.loading.dataset import TrainingRows
    from mynah.training.sharding.placement import Replicated

_NAMED = 5  # utterances named in a message


class StepGradient(Generic[Key]):
    """Adds a batch's gradient; with the last batch of an optimizer step, divides by the count.

    :meth:`Family.loss` gives a sum and a count, gradients are summed over every batch and rank
    of an optimizer step and divided by the total count once, so that no way to split a step
    changes its gradient; ``training.loss_normalization`` says what is counted. (Trainer divides
    by the number of batches, or not at all where a model's forward takes keyword arguments;
    huggingface/transformers 47688.)

    Args:
        trainer: Knows the device, the precision and the step.
        job: The training.
        rows: Loads a batch again where memory holds it only in pieces.
        placement: Which part of each gradient this rank has.
        stop: Whether this rank was asked to stop; the ranks agree with each step's gradient.
        time_limit: Takes note of how long steps take; None where there is no limit.

    Attributes:
        guard: Judges the loss of every step.
        statistics: Running statistics of the model, kept from a step that does not count.
        skipped: Utterances that could not be used.
        audio_seconds: Audio trained on in this call, by all ranks.
        stop_agreed: Whether any rank was asked to stop, as of the last step.
    """

    def __init__(
        self,
        trainer: Trainer,
        job: Job[Key],
        rows: TrainingRows[Key],
        *,
        placement: Replicated,
        stop: StopRequest,
        time_limit: TimeLimit | None,
    ) -> None:
        training = job.config.training
        self._trainer = trainer
        self._family = job.family
        self._rows = rows
        self._placement = placement
        self._stop = stop
        self._time_limit = time_limit
        self.skipped = SkippedRows(fail=job.config.data.on_error == "fail")
        self.guard = LossGuard(
            log_directory(job.output_directory),
            most=training.max_bad_steps,
            factor=training.exploding_loss_factor,
        )
        self.statistics = RunningStatistics(job.family.model)
        self.audio_seconds = 0.0
        self.stop_agreed = False
        self._began = time.monotonic()
        self._batches: list[StepBatch] = []
        self._pieces = 1  # of a batch, since memory did not hold one
        self._total = 0.0  # undivided loss of this optimizer step, this rank
        self._count = 0.0  # what it is to be divided by
        self._seconds = 0.0
        self._logged_total = 0.0  # the same since the last log line, all ranks
        self._logged_count = 0.0

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds of it."""
        return {
            "logged_total": self._logged_total,
            "logged_count": self._logged_count,
            "guard": self.guard.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`state` gave."""
        self._logged_total = state["logged_total"]
        self._logged_count = state["logged_count"]
        self.guard.restore(state["guard"])

    @property
    def running_loss(self) -> float:
        """Mean loss since the last log line, by what ``training.loss_normalization`` counts."""
        return self._logged_total / self._logged_count if self._logged_count else math.nan

    def take_running_loss(self) -> float:
        """:attr:`running_loss`, which begins again."""
        loss = self.running_loss
        self._logged_total = self._logged_count = 0.0
        return loss

    def add(self, model: Any, inputs: dict[str, Any]) -> None:
        """Add one batch's gradient.

        Args:
            model: The family's, or a wrapper around it.
            inputs: What :meth:`TrainingRows.collate` made.
        """
        if inputs["mistake"] is not None:
            raise inputs["mistake"]
        if not self._batches:
            self._began = time.monotonic()
            self.statistics.keep()
        self.skipped.note(inputs["skipped"])
        model.train()
        optimizer: Any = self._trainer.optimizer
        if callable(getattr(optimizer, "train", None)):
            optimizer.train()  # schedule-free optimizers have two modes
        total, count = self._learn(model, inputs)
        self._total += total
        self._count += count
        self._seconds += inputs["seconds"]
        self._batches.append(
            StepBatch(inputs["ids"], inputs["seconds"], total / count if count else 0.0)
        )
        if self._trainer.accelerator.sync_gradients:
            self.finish(model)

    def _learn(self, model: Any, inputs: dict[str, Any]) -> tuple[float, float]:
        """Add a batch's gradient; where memory does not hold the batch, in pieces from then on.

        The gradient is the same: a loss is summed over the pieces and divided once.

        Returns:
            The undivided loss, and what it is to be divided by.
        """
        positions = inputs["positions"]
        while True:
            try:
                if self._pieces == 1:
                    return self._learn_piece(model, inputs["tensors"])
                size = -(-len(positions) // self._pieces)
                parts = [
                    self._learn_piece(model, self._loaded(positions[first : first + size]))
                    for first in range(0, len(positions), size)
                ]
                return sum(part[0] for part in parts), sum(part[1] for part in parts)
            except torch.OutOfMemoryError as error:
                # Of several ranks none can take a gradient back that the others have summed.
                if self._pieces >= len(positions) or distributed.world_size() > 1:
                    raise self._too_large(inputs) from error
            self._pieces = min(2 * self._pieces, len(positions))
            console.notice(
                f"{self._too_large(inputs).what} It goes in {self._pieces} pieces from here on, "
                "which is slower; a smaller training.batch_seconds is better."
            )
            model.zero_grad(set_to_none=True)
            if self._trainer.args.device.type == "cuda":
                torch.cuda.empty_cache()
            if self._batches:  # what the batches before it had added is gone too
                return math.nan, 1.0

    def _loaded(self, positions: Sequence[Position[Key]]) -> dict[str, torch.Tensor]:
        tensors: dict[str, torch.Tensor] = self._rows.collate(
            [self._rows[position] for position in positions]
        )["tensors"]
        return tensors

    def _learn_piece(self, model: Any, tensors: dict[str, torch.Tensor]) -> tuple[float, float]:
        trainer = self._trainer
        moved = {name: tensor.to(trainer.args.device) for name, tensor in tensors.items()}
        with trainer.compute_loss_context_manager():
            loss = self._family.loss(model, moved)
        trainer.accelerator.backward(loss.total)
        return float(loss.total.detach()), float(loss.count)

    def _too_large(self, inputs: dict[str, Any]) -> UserError:
        return UserError(
            f"The device's memory is too small for a batch of {len(inputs['ids'])} "
            f"utterances and {inputs['seconds']:.0f} seconds of audio.",
            where=f"step {self._trainer.state.global_step + 1}, "
            f"{', '.join(inputs['ids'][:_NAMED])}",
            fix="lower training.batch_seconds (and raise gradient_accumulation_steps by as "
            "much), or set training.gradient_checkpointing=true",
        )

    def finish(self, model: Any) -> None:
        """Divide the step's gradient by its count, or drop it where the step must not count.

        Raises:
            UserError: It is one bad step too many.
        """
        if self._time_limit is not None:
            self._time_limit.took(step_seconds=time.monotonic() - self._began)
        total, count, seconds, stops = distributed.sum_over_ranks(
            [self._total, self._count, self._seconds, float(self._stop.requested)],
            self._trainer.args.device,
        )
        self.stop_agreed = stops > 0
        self.audio_seconds += seconds
        self._total = self._count = self._seconds = 0.0
        batches, self._batches = self._batches, []
        gradients = self._gradients()
        reason = self.guard.judge(total / count) if count else "no utterance could be read"
        if reason is None:
            # DDP, and fully_shard, have averaged over the ranks already.
            torch._foreach_mul_(gradients, distributed.world_size() / count)
            reason = self._problem_of(gradients)
        if reason is None:
            self.guard.accept(total / count)
            self._logged_total += total
            self._logged_count += count
            return
        self.statistics.put_back()
        self._drop(model)
        step = self._trainer.state.global_step + 1
        self.guard.reject(step, reason, batches, rank=distributed.rank())
        if step == self._trainer.state.max_steps and not self.guard.good:
            # Before an untrained model is measured and saved.
            self.guard.account(step, self.skipped.reasons)

    def _gradients(self) -> list[torch.Tensor]:
        """This rank's parts; the optimizer knows them without a walk over every module."""
        optimizer: Any = self._trainer.optimizer
        return [
            own_part(parameter.grad)
            for group in optimizer.param_groups
            for parameter in group["params"]
            if parameter.grad is not None
        ]

    def _problem_of(self, gradients: list[torch.Tensor]) -> str | None:
        if self._trainer.accelerator.scaler is not None:  # which looks for itself, and rescales
            return None
        finite = math.isfinite(self._placement.norm(gradients))
        return None if finite else "the gradient is not finite"

    def _drop(self, model: Any) -> None:
        """Let this optimizer step change nothing: momentum and weight decay included."""
        for parameter in model.parameters():
            if self._trainer.accelerator.scaler is not None and parameter.grad is not None:
                parameter.grad.fill_(math.nan)  # the scaler of fp16 then leaves the step out
            else:
                parameter.grad = None
