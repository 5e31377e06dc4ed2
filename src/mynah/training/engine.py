"""The one subclass of transformers' Trainer: its loop, with our loss, loader and checkpoints.

What is ours stands in parts, and the subclass hands over to them: :class:`Feed` loads batches,
:class:`StepGradient` makes a step's gradient of them, :class:`Measurer` evaluates and
:class:`Checkpointer` saves. :data:`PRIVATE` lists what of Trainer is used that its makers do not
promise to keep, and why; ``tests/train/test_training_upstream.py`` says in a sentence what
changed where a version of transformers no longer has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau
from transformers import Trainer, TrainingArguments
from transformers.trainer_callback import (
    DefaultFlowCallback,
    PrinterCallback,
    ProgressCallback,
)
from transformers.trainer_utils import SchedulerType

from mynah import console, distributed
from mynah.config.best_metric import greater_is_better
from mynah.data.positions import Key
from mynah.errors import UserError
from mynah.training.averaging.moving_average import MovingAverage
from mynah.training.callbacks import Beginnings
from mynah.training.gradient import StepGradient
from mynah.training.loading.feed import Feed
from mynah.training.measuring import Measurer
from mynah.training.optimizers import muon
from mynah.training.optimizers.part_rates import part_rates, split_by_part
from mynah.training.optimizers.plateau import MeasuredRate
from mynah.training.pauses import Pauses
from mynah.training.resuming.saving import Checkpointer
from mynah.training.sharding.choice import placement_of

if TYPE_CHECKING:
    from mynah.training.callbacks import Progress
    from mynah.training.guards.stops import StopRequest
    from mynah.training.guards.time_limit import TimeLimit
    from mynah.training.job import Job
    from mynah.training.minutes import Minutes

# Private names of transformers that are overridden or set here, and why.
PRIVATE = {
    "Trainer._save_checkpoint(self, model, trial)": "a checkpoint is a commit of one directory "
    "without pickle; Trainer writes its files one by one, and no public method covers them all",
    "Trainer._load_from_checkpoint(self, resume_from_checkpoint, model)": "the family loads its "
    "own weights, strictly; Trainer knows the files of a PreTrainedModel and of adapters alone",
    "TrainingArguments._n_gpu": "one process trains on one GPU; Trainer wraps the model in "
    "nn.DataParallel, which splits a batch as no family can, wherever several are visible",
}


class MynahTrainer(Trainer, Generic[Key]):
    """Trainer's loop around the parts of a training.

    Args:
        job: The training.
        arguments: The settings as Trainer takes them.
        stop: Whether somebody asked to stop.
        time_limit: Given how long steps and saves take; None where there is no limit.

    Attributes:
        job: The training.
        stop: Whether somebody asked to stop.
        time_limit: Given how long steps and saves take; None where there is no limit.
        feed: Loads the batches.
        placement: Which part of each weight this rank holds.
        pauses: What takes note of the time that evaluations and checkpoints take.
        gradient: Makes a step's gradient.
        average: Of the weights, where one is kept.
        measurer: Measures the model.
        checkpointer: Saves, and resumes from what was saved.
        minutes: When each step was logged; None on all ranks but the first.
    """

    def __init__(
        self,
        job: Job[Key],
        arguments: TrainingArguments,
        *,
        stop: StopRequest,
        time_limit: TimeLimit | None,
    ) -> None:
        self.job = job
        self.stop = stop
        self.time_limit = time_limit
        self.feed = Feed(job, stop)
        model = job.family.model
        use_cache = getattr(getattr(model, "config", None), "use_cache", None)
        super().__init__(model=model, args=arguments, train_dataset=self.feed.rows, eval_dataset=[])
        if use_cache is not None:
            model.config.use_cache = use_cache  # Trainer turns it off, for decoding too
        self._keep_to_one_gpu()
        self.args.metric_for_best_model = None  # which step is the best is the measurer's to say
        self.placement = placement_of(job)
        self._leave_wrapping_out()
        self.pauses = Pauses()
        self.pauses.report_to(self.feed.loader_wait.add_pause)
        self.gradient = StepGradient(
            self, job, self.feed.rows, placement=self.placement, stop=stop, time_limit=time_limit
        )
        decay = job.config.training.ema_decay
        self.average = None if decay is None else MovingAverage(job.family.model, decay)
        self.measurer = Measurer(
            self, job, stop=stop, pauses=self.pauses, statistics=self.gradient.statistics,
            placement=self.placement, average=self.average,
        )  # fmt: skip
        self.checkpointer = Checkpointer(
            self, job, gradient=self.gradient, measurer=self.measurer, placement=self.placement,
            average=self.average, pauses=self.pauses, time_limit=time_limit,
        )  # fmt: skip
        for unwanted in (DefaultFlowCallback, ProgressCallback, PrinterCallback):
            self.remove_callback(unwanted)
        self.add_callback(Beginnings(self))
        self.minutes: Minutes | None = None
        self._progress: Progress | None = None

    def _keep_to_one_gpu(self) -> None:
        if self.args.n_gpu > 1:
            console.notice(
                f"{self.args.n_gpu} GPUs are visible and one is used; "
                "torchrun --nproc-per-node=N trains on all of them."
            )
            self.args._n_gpu = 1  # nn.DataParallel would split the family's batch

    def _leave_wrapping_out(self) -> None:
        """Have Accelerate prepare a model that is to be sharded without DDP around it."""
        if self.placement.shards:
            prepare = self.accelerator.prepare_model

            def prepared(model: Any, **_: Any) -> Any:
                return prepare(model, device_placement=False, evaluation_mode=True)

            self.accelerator.prepare_model = prepared

    def show(self, progress: Progress) -> None:
        """Let a person see how far the training is."""
        self._progress = progress
        self.pauses.report_to(progress.add_pause)
        self.add_callback(progress)

    def take_minutes(self, minutes: Minutes) -> None:
        """Let the minutes be noted."""
        self.minutes = minutes
        self.add_callback(minutes)

    def close(self) -> None:
        """Take the progress away and end the data workers, however the training ended."""
        if self._progress is not None:
            self._progress.close()
        self.feed.end_read_ahead()
        # Its workers end with it. Those that are still there when the process ends are sent a
        # SIGTERM, which they leave to the training, and waited for without end.
        self.callback_handler.train_dataloader = None

    # Where a training and an epoch begin, and where a step ends

    def begin_training(self) -> None:
        """Continue with the optimizer of a checkpoint, where there is one."""
        self.checkpointer.load_optimizer()
        self.checkpointer.settle_best()
        if self.average is not None:
            self.average.begin()

    def begin_epoch(self) -> None:
        """Let the loader begin where the training stands."""
        self.checkpointer.load_random_state()
        self.feed.begin_epoch(self.state.global_step)

    def end_step(self) -> None:
        """Add the step's weights to their average."""
        if self.average is not None:
            self.average.update(self.state.global_step)

    def catch_up(self) -> None:
        """Do the evaluation that an interruption left out."""
        self.checkpointer.catch_up()

    # Data

    def get_train_dataloader(self) -> Any:
        """The loader of the plan's batches."""
        return self.feed.loader(
            pin_memory=self.args.dataloader_pin_memory and self.args.device.type == "cuda"
        )

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> Any:
        """The batches of the next step, which are not waited for without end."""
        step = self.state.global_step
        # It resumes from its last step, or from where it stopped early; or it was stopped in an
        # evaluation before its first step, which Trainer would still take.
        measurer = self.measurer
        if step >= self.job.steps_total or measurer.out_of_patience or measurer.interrupted:
            self.control.should_training_stop = True
            return [], None
        batches = self.feed.ahead(epoch_iterator, step)
        with self.feed.waiting(step):
            return super().get_batch_samples(batches, num_batches, device)

    # Loss and gradient

    def training_step(
        self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Add one batch's gradient; with the last batch of the step, divide by the count."""
        self.gradient.add(model, inputs)
        # Trainer's own sum is not used: ours is weighted by tokens, and survives a resume.
        return torch.zeros((), device=self.args.device)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted: Trainer's formula is one for token ids."""
        return 0

    # Optimizer and schedule

    def create_optimizer(self, model: Any = None) -> Any:
        """The optimizer that ``training.optim`` names (Muon is ours), with each part's rate."""
        if self.optimizer is not None:
            return super().create_optimizer(model)
        self.placement.shard()
        training = self.job.config.training
        trained: Any = self.model if model is None else model
        if training.optim == muon.NAME:
            self.optimizer = muon.build_muon(
                trained,
                set(self.get_decay_parameter_names(trained)),
                lr=self.args.learning_rate,
                weight_decay=self.args.weight_decay,
                betas=(self.args.adam_beta1, self.args.adam_beta2),
                eps=self.args.adam_epsilon,
            )
        else:
            super().create_optimizer(model)
        split_by_part(self.optimizer, trained, self.job.family.part_of, part_rates(training))
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """The schedule that ``training.lr_scheduler_type`` names.

        Raises:
            UserError: It cannot be made.
        """
        plateau = self.args.lr_scheduler_type == SchedulerType.REDUCE_ON_PLATEAU
        if plateau and greater_is_better(self.job.config):  # torch's default is for error rates
            typed: Any = self.args.lr_scheduler_kwargs or {}
            self.args.lr_scheduler_kwargs = {"mode": "max", **typed}
        try:
            made: Any = super().create_scheduler(num_training_steps, optimizer)
        except (ValueError, TypeError) as error:
            raise UserError(
                f"This learning rate schedule cannot be made: {error}",
                where="training.lr_scheduler_type",
                fix="give what it needs in training.lr_scheduler_kwargs, as {min_lr: 1e-6}",
            ) from error
        if isinstance(made, ReduceLROnPlateau):
            made = MeasuredRate(made)
        self.lr_scheduler = made
        return made

    # Logs and evaluations

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log with the true mean loss; without times, so that a resumed log is the same."""
        if "train_runtime" in logs:
            return
        if "loss" in logs:
            logs = logs | {"loss": self.gradient.take_running_loss()}
            self.feed.loader_wait.advise()
            logs = logs | {"loader_wait": self.feed.loader_wait.since_last()}
        super().log(logs)
        # Shown to people and trackers, and not kept: no resumed training waits as long again.
        self.state.log_history[-1].pop("loader_wait", None)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Measure the model; empty where a signal cut the evaluation short."""
        return self.measurer.measure()

    @property
    def running_loss(self) -> float:
        """Mean loss since the last log line."""
        return self.gradient.running_loss

    @property
    def audio_seconds(self) -> float:
        """Audio trained on in this call, by all ranks."""
        return self.gradient.audio_seconds

    @property
    def stream_pass(self) -> int | None:
        """Which pass over a stream is being read, from 0; None where epochs are known."""
        return self.job.plan.passes

    # Checkpoints

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        self.checkpointer.save()

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        self.checkpointer.load_model(Path(resume_from_checkpoint))

    # Stopping

    def stop_asked(self) -> bool:
        """Whether a stop was asked for; several ranks agree on it with each step's gradient."""
        alone = distributed.world_size() == 1
        return self.stop.requested if alone else self.gradient.stop_agreed

    def interrupt(self) -> None:
        """Save and stop here; an evaluation that is due is left to the resumed training."""
        self.measurer.interrupt()
