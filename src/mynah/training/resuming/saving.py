"""A training's checkpoints: what is committed, which one is chosen, and how it resumes."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

from mynah import console, distributed
from mynah.checkpoints import commit as checkpoints
from mynah.checkpoints.publishing import write_note
from mynah.config.best_metric import greater_is_better
from mynah.data.positions import Key
from mynah.errors import UserError, reading_checkpoint
from mynah.files import read_json
from mynah.machine import __version__, describe_machine
from mynah.models.pretrained import weights
from mynah.runs.directory import named_checkpoints
from mynah.training.guards.disk import DiskWatch
from mynah.training.resuming import state
from mynah.training.resuming.resume import ABOUT_NAME, read_about

if TYPE_CHECKING:
    import torch
    from transformers import Trainer

    from mynah.training.averaging.moving_average import MovingAverage
    from mynah.training.gradient import StepGradient
    from mynah.training.guards.time_limit import TimeLimit
    from mynah.training.job import Job
    from mynah.training.measuring import Measurer
    from mynah.training.pauses import Pauses
    from mynah.training.sharding.placement import Replicated


@dataclass(frozen=True)
class _Held:
    """What the first rank writes beside the model: the optimizer's state, and the weights that an
    average in the model stands in place of."""

    optimizer: dict[str, Any]
    unaveraged: dict[str, torch.Tensor] | None


class Checkpointer(Generic[Key]):
    """Checkpoints that are commits, without pickle (:mod:`mynah.checkpoints.commit`).

    Trainer itself writes files straight into ``checkpoint-N``, among them pickled ones, and
    leaves the running loss out.

    Args:
        trainer: Whose optimizer, schedule, scaler and state are saved.
        job: The training.
        gradient: Its running loss, loss guard and skipped rows are saved.
        measurer: Its scores are saved, and the evaluation that is left for later.
        placement: Gives the first rank what it saves in full.
        average: Of the weights: the model that is saved, beside what it is the average of.
        pauses: Leave the saves out of the speed.
        time_limit: Takes note of how long a save takes; None where there is no limit.

    Attributes:
        disk: Sees that a checkpoint will fit before it is written.
    """

    def __init__(
        self,
        trainer: Trainer,
        job: Job[Key],
        *,
        gradient: StepGradient[Key],
        measurer: Measurer[Key],
        placement: Replicated,
        average: MovingAverage | None,
        pauses: Pauses,
        time_limit: TimeLimit | None,
    ) -> None:
        self._trainer: Any = trainer  # whose optimizer, schedule and scaler have no type in common
        self._job = job
        self._gradient = gradient
        self._measurer = measurer
        self._placement = placement
        self._average = average
        self._pauses = pauses
        self._time_limit = time_limit
        self._resumed_from: Path | None = None
        self._random_from: Path | None = None  # the checkpoint whose random state is still due
        self._announced = False
        limit = job.config.training.save_total_limit
        self.disk = DiskWatch(
            job.output_directory,
            expected_bytes=self._expected_bytes(),
            limit=limit and limit + (job.config.training.average_checkpoints or 0),
        )

    # Saving

    def save(self) -> None:
        """Commit a checkpoint of this step, all ranks together.

        Raises:
            UserError: It does not fit on the disk, or cannot be written.
        """
        trainer, job = self._trainer, self._job
        batches = trainer.state.global_step * job.config.training.gradient_accumulation_steps
        skipped = self._gradient.skipped
        gathered = distributed.gather_to_first(
            (state.random_state(trainer.args.device), skipped.reasons, job.plan.state(batches))
        )
        failure: UserError | None = None
        for _, reasons, _ in gathered:
            skipped.merge(reasons)
        randoms = [found for found, _, _ in gathered]
        about = self._about([position for _, _, position in gathered if position])
        began = time.monotonic()
        with self._pauses.pause(), self._in_full() as held:
            if distributed.rank() == 0:
                try:
                    self.disk.make_room(best=self._best())
                    self._commit(held, randoms, about)
                except UserError as error:
                    failure = error
        if self._time_limit is not None and distributed.rank() == 0:
            self._time_limit.took(save_seconds=time.monotonic() - began)
        failure = distributed.from_first(failure)
        if failure is not None:
            failure.shared = True
            raise failure
        if not self._announced:
            self._announced = True
            if distributed.rank() == 0:
                job.on_first_checkpoint()
        if job.on_commit is not None and distributed.rank() == 0:
            job.on_commit()

    @contextmanager
    def _in_full(self) -> Iterator[_Held]:
        """Let the first rank have all that it writes; all ranks together."""
        if self._placement.shards:
            self._gradient.statistics.take_from_first()
        with self._average.in_model() if self._average else nullcontext():
            held = _Held(
                self._placement.state_in_full(self._trainer.optimizer.state_dict()),
                self._average.unaveraged() if self._average else None,
            )
            with self._placement.in_full_on_first():
                yield held

    def _commit(self, held: _Held, randoms: list[Any], about: dict[str, Any]) -> None:
        trainer, job = self._trainer, self._job
        final = checkpoints.checkpoint_path(job.output_directory, trainer.state.global_step)
        with checkpoints.commit(final, expected_bytes=self._expected_bytes()) as staging:
            job.family.save(staging)
            if self._average is not None and held.unaveraged is not None:
                self._average.save_unaveraged(held.unaveraged, staging)
            state.save_tree(held.optimizer, staging, "optimizer")
            state.save_tree(trainer.lr_scheduler.state_dict(), staging, "scheduler")
            if trainer.accelerator.scaler is not None:
                state.save_tree(trainer.accelerator.scaler.state_dict(), staging, "scaler")
            for rank, tree in enumerate(randoms):
                state.save_tree(tree, staging, f"rng_state_{rank}")
            trainer.state.save_to_json(str(staging / "trainer_state.json"))
            written = json.dumps(about, indent=2, ensure_ascii=False) + "\n"
            for name, text in {**job.extra_files, ABOUT_NAME: written}.items():
                (staging / name).write_text(text, encoding="utf-8")
            write_note(staging)
        checkpoints.retain(
            job.output_directory,
            limit=job.config.training.save_total_limit,
            best=self._best() if self._measurer.wants_best else None,
            committed=final,
            besides=self.best_measured(job.config.training.average_checkpoints or 0),
        )

    def _about(self, streams: list[dict[str, Any]]) -> dict[str, Any]:
        progress, job = self._trainer.state, self._job
        return {
            "version": __version__,
            "family": job.family.name,
            "step": progress.global_step,
            "epoch": progress.epoch,
            "scores": self._measurer.scores_at(progress.global_step),
            "best": {"step": progress.best_global_step, "score": progress.best_metric},
            "base_revisions": job.family.base_revisions(),
            "parameters": [list(row) for row in job.family.parameter_table()],
            "fingerprints": {"data": job.settings["training data (fingerprint)"]},
            **(job.clips.as_recorded() if job.clips else {}),
            "training": {
                "settings": job.settings,
                "steps_total": job.steps_total,
                "world_size": distributed.world_size(),
                "planned_ranks": distributed.planned_ranks(),
                "machine": describe_machine(job.family.model),
                **self._gradient.state(),
                **self._measurer.state(),
                "skipped": self._gradient.skipped.reasons,
                "stream": streams,
            },
        }

    def _expected_bytes(self) -> int:
        family = self._job.family
        parameters = family.model.parameters()
        trained = sum(p.numel() * p.element_size() for p in parameters if p.requires_grad)
        unaveraged = self._average.size_bytes() if self._average else 0
        return family.saved_bytes() + 2 * int(trained) + unaveraged

    # Choosing

    def _best(self) -> Path | None:
        step = self._trainer.state.best_global_step
        if step is None:
            return None
        places = [self._job.output_directory]
        if self._resumed_from is not None:
            places.append(self._resumed_from.parent)
        candidates = [checkpoints.checkpoint_path(place, step) for place in places]
        return next((path for path in candidates if path.is_dir()), None)

    def best_measured(self, most: int) -> list[Path]:
        """The best checkpoints that were measured, the best first; of equals the older one."""
        return [path for _, _, path in self._ranked()[:most]] if most else []

    def _ranked(self) -> list[tuple[float, int, Path]]:
        """What was measured, the best first: a value of which less is better, step, checkpoint."""
        now = self._trainer.state.global_step  # a later one is of another course, and damaged
        here = named_checkpoints(self._job.output_directory)
        found = [path for path in here if (checkpoints.step_of(path) or 0) <= now]
        resumed = self._resumed_from
        if resumed is not None and resumed.parent != self._job.output_directory:
            last = checkpoints.step_of(resumed) or 0  # what is later there is of another course
            beside = named_checkpoints(resumed.parent)
            found += [path for path in beside if (checkpoints.step_of(path) or 0) <= last]
        sign = -1.0 if greater_is_better(self._job.config) else 1.0
        ranked: dict[int, tuple[float, int, Path]] = {}
        for path in found:
            about = read_json(path / ABOUT_NAME)
            scores = about.get("scores")
            if isinstance(scores, dict) and scores and self._measurer.compares(about):
                value = scores.get(self._measurer.best_name(scores))
                step = checkpoints.step_of(path) or 0
                if isinstance(value, int | float) and not math.isnan(value):
                    ranked.setdefault(step, (sign * value, step, path))
        return sorted(ranked.values())

    def settle_best(self) -> None:
        """See that the best checkpoint so far is at hand; else the best of those that are counts.

        Called once the state of a checkpoint is loaded, by all ranks together.
        """
        progress = self._trainer.state
        lost = progress.best_global_step
        if lost is None or self._resumed_from is None or not self._measurer.wants_best:
            return
        if distributed.on_first(self._has_best):
            return
        found = distributed.on_first(lambda: self._best_besides(lost))
        progress.best_global_step, progress.best_metric = found or (None, None)
        if distributed.rank() == 0:
            now = "the next one measured"
            if found:
                now = f"that of step {found[0]:,} ({found[1]:.4f})"
            console.notice(
                f"The best checkpoint so far, that of step {lost}, is not here or not intact: "
                f"{now} counts as the best. To keep the other one, copy it beside "
                f"{self._resumed_from} and resume again."
            )

    def _has_best(self) -> bool:
        best = self._best()
        return best is not None and checkpoints.is_intact(best)

    def _best_besides(self, lost: int) -> tuple[int, float] | None:
        """Step and score of the best checkpoint that is intact, but for that of one step."""
        sign = -1.0 if greater_is_better(self._job.config) else 1.0
        intact = (
            (step, sign * value)
            for value, step, path in self._ranked()
            if step != lost and checkpoints.is_intact(path)
        )
        return next(intact, None)

    def chosen(self) -> Path | None:
        """The best checkpoint where the best is wanted and known, else the newest."""
        job = self._job
        best = self._best() if job.config.training.load_best_model_at_end else None
        step = self._trainer.state.global_step
        newest = checkpoints.checkpoint_path(job.output_directory, step)
        if best is None and not newest.is_dir() and self._resumed_from is not None:
            return self._resumed_from
        return best or (newest if newest.is_dir() else None)

    # Resuming

    def load_model(self, directory: Path) -> None:
        """Put a checkpoint's weights into the model, strictly, and what the parts know.

        Raises:
            UserError: The model is another one.
        """
        job = self._job
        self._resumed_from = self._random_from = directory
        with reading_checkpoint(directory):
            loaded = type(job.family).load(directory, offline=job.config.offline)
        try:
            weights.take_weights(job.family.model, loaded.model)
        except RuntimeError as error:
            raise UserError(
                "The model of this run is not that of the checkpoint: "
                f"{str(error).splitlines()[-1].strip()}",
                where=str(directory),
                fix="leave the model settings as they were",
            ) from error
        with reading_checkpoint(directory):
            about = read_about(directory)["training"]
            if self._average is not None:
                self._average.restore(directory)
            self._gradient.restore(about)
            self._measurer.restore(about)
            self._gradient.skipped.restore(about["skipped"])
            job.plan.restore(about["stream"])

    def load_optimizer(self) -> None:
        """Resume with the optimizer, schedule and scaler of the checkpoint that was loaded."""
        directory, trainer = self._resumed_from, self._trainer
        if directory is None:
            return
        with reading_checkpoint(directory):
            held = state.load_tree(directory, "optimizer")
            trainer.optimizer.load_state_dict(self._placement.own_state(held, trainer.optimizer))
            trainer.lr_scheduler.load_state_dict(state.load_tree(directory, "scheduler"))
            if read_about(directory)["training"]["steps_total"] != self._job.steps_total:
                _follow(trainer.lr_scheduler)
            scaler = trainer.accelerator.scaler
            if scaler is not None and (directory / "scaler.json").exists():
                scaler.load_state_dict(state.load_tree(directory, "scaler"))

    def load_random_state(self) -> None:
        """Resume with the random state of the checkpoint that was loaded, once.

        With another number of ranks a rank may have none, and continues with its own.
        """
        directory, self._random_from = self._random_from, None
        if directory is not None:
            with reading_checkpoint(directory):
                self._set_random_state(directory)

    def catch_up(self) -> None:
        """Do the evaluation that an interruption left out, as if it had never been."""
        if not self._measurer.pending or self._resumed_from is None:
            return
        self._set_random_state(self._resumed_from)
        trainer = self._trainer
        trainer.control.should_save = True
        self._measurer.measure()
        self.save()
        trainer.control = trainer.callback_handler.on_save(
            trainer.args, trainer.state, trainer.control
        )

    def _set_random_state(self, directory: Path) -> None:
        stem = f"rng_state_{distributed.rank()}"
        if (directory / f"{stem}.json").exists():
            device = self._trainer.args.device
            state.set_random_state(state.load_tree(directory, stem), device)


def _follow(schedule: Any) -> None:
    """Set the learning rates that a schedule of another length asks for at the step it is at.

    Those of the checkpoint are the old schedule's: at its end they are 0.
    """
    from torch.optim.lr_scheduler import LambdaLR

    if not isinstance(schedule, LambdaLR):
        return
    rates = [
        base * rate(schedule.last_epoch)
        for base, rate in zip(schedule.base_lrs, schedule.lr_lambdas, strict=True)
    ]
    for group, rate in zip(schedule.optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    schedule._last_lr = rates
