"""What feeds a training: its rows, their loader, and the wait for the next batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Generic

from mynah.data.positions import Key
from mynah.data.read_ahead import ReadAhead
from mynah.machine import device_for
from mynah.training.arguments import loader_options
from mynah.training.guards.watchdog import Watchdog
from mynah.training.loading.dataset import LoadedRow, PlanSampler, TrainingRows
from mynah.training.loading.loader import make_loader
from mynah.training.loading.loader_wait import LoaderWait

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

    from mynah.training.guards.stops import StopRequest
    from mynah.training.job import Job

    Batch = dict[str, Any]


class Feed(Generic[Key]):
    """Batches of a plan, loaded by workers and, where there are any, ahead of the step.

    Args:
        job: The training.
        stop: Ends a training whose loader is stuck.

    Attributes:
        rows: What is loaded.
        loader_wait: Measures how long the training waits for data.
        watchdog: Watches how long a batch is waited for, or None.
    """

    def __init__(self, job: Job[Key], stop: StopRequest) -> None:
        training = job.config.training
        self._job = job
        self.rows = TrainingRows(
            job.family,
            job.corpus,
            job.augmentation,
            normalization=training.loss_normalization,
            context_dropout=job.config.model.context_dropout,
            twice=bool(job.config.model.ctc_consistency),
            seed=training.seed,
        )
        self._sampler = PlanSampler(job.plan)
        self._options = loader_options(training, device_for(job.config).type)
        self._accumulation = training.gradient_accumulation_steps
        self._batches_left = 0  # of the epoch that has begun
        self._ahead: ReadAhead[Batch] | None = None
        self.loader_wait = LoaderWait(self._options["num_workers"])
        longest_wait = training.loader_timeout_seconds
        self.watchdog = Watchdog(longest_wait, stop.fail) if longest_wait else None

    def loader(self, *, pin_memory: bool) -> DataLoader[LoadedRow[Key]]:
        """A plain loader over the plan, which Accelerate does not reshard.

        Args:
            pin_memory: Whether a GPU shall copy the batches.
        """
        return make_loader(
            self.rows,
            self._sampler,
            held=2 * self._accumulation,  # this step's, the next's
            pin_memory=pin_memory,
            **self._options,
        )

    def begin_epoch(self, step: int) -> None:
        """Let the loader begin where the training stands.

        Args:
            step: Optimizer steps done.
        """
        epoch, done = divmod(step, self._job.steps_per_epoch)
        skipped = done * self._accumulation
        self._sampler.begin(epoch, skipped)
        self._batches_left = self._job.plan.batches_per_epoch - skipped
        self.end_read_ahead()

    def ahead(self, batches: Iterator[Batch], step: int) -> Iterator[Batch]:
        """Where workers load, a step's batches are fetched while the step before it runs.

        Args:
            batches: Of the loader.
            step: Optimizer steps done.
        """
        if not self._options["num_workers"]:
            return batches
        if self._ahead is None:
            # None behind the training's last step, for which a worker would be waited for.
            steps = self._job.steps_total - step
            count = min(self._batches_left, steps * self._accumulation)
            self._ahead = ReadAhead(batches, held=self._accumulation, count=count, name="batches")
        return self._ahead

    @contextmanager
    def waiting(self, step: int) -> Iterator[None]:
        """The block waits for the batches of the step after ``step``, and not without end."""
        watched = (
            self.watchdog.waiting(lambda: self._awaited(step)) if self.watchdog else nullcontext()
        )
        with watched, self.loader_wait.waiting():
            yield
        if self._ahead is not None:
            self._ahead.read_on()

    def _awaited(self, step: int) -> list[str]:
        """Utterances of the next step's first batch."""
        epoch, done = divmod(step, self._job.steps_per_epoch)
        rows = self._job.plan.expected(epoch, done * self._accumulation)
        return [self._job.corpus[row].id for row in rows]

    def end_read_ahead(self) -> None:
        """Let the batches go that are read already."""
        # Of workers that are kept, one iterator serves every epoch: it is not a sign of a new one.
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None
