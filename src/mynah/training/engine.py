"""The one subclass of transformers' Trainer: its loop, with our loss, loader and checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

import torch
from transformers import TrainingArguments
from transformers.trainer_callback import (
    DefaultFlowCallback,
    PrinterCallback,
    ProgressCallback,
)

from mynah import console, distributed
from mynah.data.positions import Batches, Key
from mynah.errors import UserError
from mynah.machine import device_for
from mynah.training.arguments import loader_options, steps_per_epoch, steps_total
from mynah.training.guards.disk import DiskWatch
from mynah.training.guards.loss_guard import Batch, LossGuard
from mynah.training.guards.running_statistics import RunningStatistics
from mynah.training.guards.stops import StopRequest
from mynah.training.guards.watchdog import Watchdog
from mynah.training.loading.dataset import PlanSampler, TrainingRows
from mynah.training.loading.loader import make_loader
from mynah.training.loading.loader_wait import LoaderWait
from mynah.training.loading.read_ahead import ReadAhead
from mynah.training.measuring import MeasuringTrainer
from mynah.training.optimizers import muon
from mynah.training.optimizers.part_rates import part_rates, split_by_part
from mynah.training.trackers import log_directory

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.augmentation.chain import Augmentation
    from mynah.data.utterances import TrainingData
    from mynah.models.family import Family
    from mynah.training.callbacks import Progress
    from mynah.training.guards.time_limit import TimeLimit

_NAMED = 5  # unusable utterances named one by one; the others are counted


class MynahTrainer(MeasuringTrainer, Generic[Key]):
    """Trainer's loop with three things of our own.

    The loss: :meth:`Family.loss` gives a sum and a count, gradients are summed over every
    batch and rank of an optimizer step and divided by the whole count once, so that no way
    to split a step changes its gradient; ``training.loss_normalization`` says what is counted.
    (Trainer divides by the number of batches, or not at all where a model's forward takes
    keyword arguments; huggingface/transformers 47688.)

    The loader: a plain one over the batch plan, never resharded by Accelerate.

    The checkpoint: a commit (:class:`~mynah.training.resuming.saving.CommittingTrainer`).

    Attributes:
        stop: Whether somebody asked to stop.
        interrupted: Whether the training stopped for that.
        skipped: Utterances that could not be used, id to reason.
        guard: Judges the loss of every step.
        audio_seconds: Audio trained on in this call, by all ranks.
        loader_wait: Measures how long the training waits for data.
        progress: What shows the progress, or None.
        watchdog: Watches how long a batch is waited for, or None.
        time_limit: Told how long steps and saves take; None where there is no limit.
    """

    def __init__(
        self,
        family: Family,
        corpus: TrainingData[Key],
        plan: Batches[Key],
        config: Config,
        arguments: TrainingArguments,
        *,
        augmentation: Augmentation,
        output_directory: Path,
        evaluate: Callable[[int], Mapping[str, float]],
        on_first_checkpoint: Callable[[], None],
        extra_files: dict[str, str],
        settings: dict[str, Any],
    ) -> None:
        self.family = family
        self._config = config
        self._settings = settings
        self._output_directory = output_directory
        self._evaluate_model = evaluate
        self._on_first_checkpoint: Callable[[], None] | None = on_first_checkpoint
        self._extra_files = extra_files
        self._steps_total = steps_total(plan, config)
        self._rows = TrainingRows(
            family,
            corpus,
            augmentation,
            normalization=config.training.loss_normalization,
            context_dropout=config.model.context_dropout,
            seed=config.training.seed,
        )
        self._plan = plan
        self._sampler = PlanSampler(plan)
        self._resumed_from: Path | None = None

        self.stop = StopRequest()
        self.interrupted = False
        self.skipped: dict[str, str] = {}
        self.audio_seconds = 0.0
        self._loader_options = loader_options(config.training, device_for(config).type)
        self.loader_wait = LoaderWait(self._loader_options["num_workers"])
        self._batches_left = 0  # of the epoch that has begun
        self._ahead: ReadAhead[Any] | None = None
        self.progress: Progress | None = None
        self.time_limit: TimeLimit | None = None
        longest_wait = config.training.loader_timeout_seconds
        self.watchdog = Watchdog(longest_wait, self.stop.fail) if longest_wait else None
        self._step_began = time.monotonic()
        self._stop_agreed = False
        self._pending_evaluation = False
        self.guard = LossGuard(
            log_directory(output_directory),
            most=config.training.max_bad_steps,
            factor=config.training.exploding_loss_factor,
        )
        self._step_batches: list[Batch] = []
        self._pieces = 1  # of a batch, since memory did not hold one
        self._statistics = RunningStatistics(family.model)
        self._step_total = 0.0  # undivided loss of this optimizer step, this rank
        self._step_count = 0.0  # what it is to be divided by
        self._step_seconds = 0.0
        self._logged_total = 0.0  # the same since the last log line, all ranks
        self._logged_count = 0.0
        self._scores: dict[str, float] = {}
        self._scores_step = -1

        use_cache = getattr(getattr(family.model, "config", None), "use_cache", None)
        super().__init__(
            model=family.model, args=arguments, train_dataset=self._rows, eval_dataset=[]
        )
        if use_cache is not None:
            family.model.config.use_cache = use_cache  # Trainer turns it off, for decoding too
        if self.args.n_gpu > 1:
            console.notice(
                f"{self.args.n_gpu} GPUs are visible and one is used; "
                "torchrun --nproc-per-node=N trains on all of them."
            )
            self.args._n_gpu = 1  # nn.DataParallel would split the family's batch
        self.disk = DiskWatch(
            output_directory,
            expected_bytes=self._expected_bytes(),
            limit=config.training.save_total_limit,
        )
        for unwanted in (DefaultFlowCallback, ProgressCallback, PrinterCallback):
            self.remove_callback(unwanted)

    def close(self) -> None:
        """Take the progress away and end the data workers, however the training ended."""
        if self.progress is not None:
            self.progress.close()
        self._end_read_ahead()
        # Its workers end with it. Those that are still there when the process ends are sent a
        # SIGTERM, which they leave to the training, and waited for without end.
        self.callback_handler.train_dataloader = None

    # Data

    def get_train_dataloader(self) -> Any:
        return make_loader(
            self._rows,
            self._sampler,
            held=2 * self._config.training.gradient_accumulation_steps,  # this step's, the next's
            pin_memory=self.args.dataloader_pin_memory and self.args.device.type == "cuda",
            **self._loader_options,
        )

    def _run_epoch(self, **arguments: Any) -> None:  # type: ignore[override]
        if self.state.global_step >= self._steps_total:
            self.control.should_training_stop = True
            return
        resumed = arguments["resume_from_checkpoint"] is not None
        first = resumed and arguments["epoch"] == arguments["epochs_trained"]
        skipped = arguments["steps_trained_in_current_epoch"] if first else 0
        self._sampler.begin(arguments["epoch"], skipped)
        self._batches_left = self._plan.batches_per_epoch - skipped
        self._end_read_ahead()
        super()._run_epoch(**arguments)

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], *arguments: Any, **options: Any
    ) -> Any:
        """The batches of the next step, which are not waited for without end."""
        batches = self._read_ahead(epoch_iterator)
        watched = self.watchdog.waiting(self._awaited) if self.watchdog else nullcontext()
        with watched, self.loader_wait.waiting():
            found = super().get_batch_samples(batches, *arguments, **options)
        if self._ahead is not None:
            self._ahead.read_on()
        return found

    def _read_ahead(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Where workers load, a step's batches are fetched while the step before it runs."""
        if not self._loader_options["num_workers"]:
            return batches
        if self._ahead is None:
            # None behind the training's last step, for which a worker would be waited for.
            steps = self._steps_total - self.state.global_step
            size = self._config.training.gradient_accumulation_steps
            count = min(self._batches_left, steps * size)
            self._ahead = ReadAhead(batches, held=size, count=count, name="batches")
        return self._ahead

    def _end_read_ahead(self) -> None:
        # Of workers that are kept, one iterator serves every epoch: it is no sign of a new one.
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None

    def _awaited(self) -> list[str]:
        """Utterances of the next step's first batch."""
        step = self.state.global_step
        epoch, done = divmod(step, steps_per_epoch(self._plan, self._config))
        index = done * self._config.training.gradient_accumulation_steps
        return [self._rows.corpus[row].id for row in self._plan.expected(epoch, index)]

    # Loss and gradient

    def training_step(
        self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Add one batch's gradient; with the last batch of the step, divide by the count."""
        if not self._step_batches:
            self._step_began = time.monotonic()
            self._statistics.keep()
        self._note_skipped(inputs["skipped"])
        model.train()
        if callable(getattr(self.optimizer, "train", None)):
            self.optimizer.train()  # schedule-free optimizers have two modes
        total, count = self._learn(model, inputs)
        self._step_total += total
        self._step_count += count
        self._step_seconds += inputs["seconds"]
        self._step_batches.append(
            Batch(inputs["ids"], inputs["seconds"], total / count if count else 0.0)
        )
        if self.accelerator.sync_gradients:
            self._finish_gradient(model)
        # Trainer's own sum is not used: ours is weighted by tokens, and survives a resume.
        return torch.zeros((), device=self.args.device)

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
            if self.args.device.type == "cuda":
                torch.cuda.empty_cache()
            if self._step_batches:  # what the batches before it had added is gone too
                return math.nan, 1.0

    def _loaded(self, positions: list[Any]) -> dict[str, Any]:
        return self._rows.collate([self._rows[position] for position in positions])["tensors"]

    def _learn_piece(self, model: Any, tensors: dict[str, Any]) -> tuple[float, float]:
        tensors = self._prepare_inputs(tensors)
        with self.compute_loss_context_manager():
            loss = self.family.loss(model, tensors)
        self.accelerator.backward(loss.total)
        return float(loss.total.detach()), float(loss.count)

    def _too_large(self, inputs: dict[str, Any]) -> UserError:
        return UserError(
            f"The device's memory is too small for a batch of {len(inputs['ids'])} "
            f"utterances and {inputs['seconds']:.0f} seconds of audio.",
            where=f"step {self.state.global_step + 1}, {', '.join(inputs['ids'][:_NAMED])}",
            fix="lower training.batch_seconds (and raise gradient_accumulation_steps by as "
            "much), or set training.gradient_checkpointing=true",
        )

    def _finish_gradient(self, model: Any) -> None:
        if self.time_limit is not None:
            self.time_limit.took(step_seconds=time.monotonic() - self._step_began)
        total, count, seconds, stops = distributed.sum_over_ranks(
            [self._step_total, self._step_count, self._step_seconds, float(self.stop.requested)],
            self.args.device,
        )
        self._stop_agreed = stops > 0
        self.audio_seconds += seconds
        self._step_total = self._step_count = self._step_seconds = 0.0
        batches, self._step_batches = self._step_batches, []
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        reason = self.guard.judge(total / count) if count else "no utterance could be read"
        if reason is None:
            # DDP has averaged over the ranks already.
            torch._foreach_mul_(gradients, distributed.world_size() / count)
            reason = self._gradient_problem(gradients)
        if reason is None:
            self.guard.accept(total / count)
            self._logged_total += total
            self._logged_count += count
            return
        self._statistics.put_back()
        self._drop_gradient(model)
        self.guard.reject(self.state.global_step + 1, reason, batches, rank=distributed.rank())

    def _gradient_problem(self, gradients: list[torch.Tensor]) -> str | None:
        if self.accelerator.scaler is not None:  # which looks for itself, and rescales
            return None
        finite = math.isfinite(float(torch.nn.utils.get_total_norm(gradients)))
        return None if finite else "the gradient is not finite"

    def _drop_gradient(self, model: Any) -> None:
        """Let this optimizer step change nothing: momentum and weight decay included."""
        for parameter in model.parameters():
            if self.accelerator.scaler is not None and parameter.grad is not None:
                parameter.grad.fill_(math.nan)  # the scaler of fp16 then leaves the step out
            else:
                parameter.grad = None

    def _note_skipped(self, skipped: list[tuple[str, str]]) -> None:
        for utterance, reason in skipped:
            if self._config.data.on_error == "fail":
                raise UserError(
                    f"A training utterance cannot be used: {reason}",
                    where=f"utterance {utterance}",
                    fix="mend or remove it, or leave such ones out with data.on_error=skip",
                )
            if utterance in self.skipped:
                continue
            self.skipped[utterance] = reason
            if distributed.rank() > 0:
                continue  # counted with the next checkpoint
            if len(self.skipped) <= _NAMED:
                console.notice(f"Utterance {utterance} is left out: {reason}")
            elif len(self.skipped) == _NAMED + 1:
                console.notice("More utterances are left out; they are counted at the end.")

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted: Trainer's formula is one for token ids."""
        return 0

    # Logs and evaluations

    @property
    def running_loss(self) -> float:
        """Mean loss since the last log line, by what ``training.loss_normalization`` counts."""
        return self._logged_total / self._logged_count if self._logged_count else math.nan

    @property
    def stream_pass(self) -> int | None:
        """Which pass over a stream is being read, from 0; None where epochs are known."""
        return self._plan.passes

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log with the true mean loss; without times, so that a resumed log is the same."""
        if "train_runtime" in logs:
            return
        if "loss" in logs:
            logs = logs | {"loss": self.running_loss}
            self._logged_total = self._logged_count = 0.0
            self.loader_wait.advise()
            logs = logs | {"loader_wait": self.loader_wait.since_last()}
        super().log(logs)
        # Told to people and trackers, and not kept: no resumed training waits as long again.
        self.state.log_history[-1].pop("loader_wait", None)

    def create_optimizer(self, model: Any = None) -> Any:
        """The optimizer that ``training.optim`` names (Muon is ours), with each part's rate."""
        if self.optimizer is not None:
            return super().create_optimizer(model)
        trained = self.model if model is None else model
        if self._config.training.optim != muon.NAME:
            super().create_optimizer(model)
        else:
            self._create_muon(trained)
        rates = part_rates(self._config.training)
        split_by_part(self.optimizer, trained, self.family.part_of, rates)
        return self.optimizer

    def _create_muon(self, trained: Any) -> None:
        self.optimizer = muon.build(
            trained,
            set(self.get_decay_parameter_names(trained)),
            lr=self.args.learning_rate,
            weight_decay=self.args.weight_decay,
            betas=(self.args.adam_beta1, self.args.adam_beta2),
            eps=self.args.adam_epsilon,
        )

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        try:
            return super().create_scheduler(num_training_steps, optimizer)
        except (ValueError, TypeError) as error:
            raise UserError(
                f"This learning rate schedule cannot be made: {error}",
                where="training.lr_scheduler_type",
                fix="give what it needs in training.lr_scheduler_kwargs, as {min_lr: 1e-6}",
            ) from error

    # Stopping

    def stop_asked(self) -> bool:
        """Whether a stop was asked for; several ranks agree on it with each step's gradient."""
        return self.stop.requested if distributed.world_size() == 1 else self._stop_agreed

    @contextmanager
    def _paused(self) -> Iterator[None]:
        """Leave what is done here out of the training speed."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.loader_wait.add_pause(time.monotonic() - started)
            if self.progress is not None:
                self.progress.add_pause(time.monotonic() - started)
