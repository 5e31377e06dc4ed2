"""The trainer's checkpoints: what is committed, which one is chosen, and how it goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import Trainer

import mynah
from mynah import distributed
from mynah.checkpoints import commit as checkpoints
from mynah.errors import UserError
from mynah.machine import describe_machine
from mynah.models.pretrained import weights
from mynah.training.resuming import state
from mynah.training.resuming.resume import ABOUT_NAME, read_about

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.positions import Batches
    from mynah.models.family import Family
    from mynah.training.guards.disk import DiskWatch
    from mynah.training.guards.loss_guard import LossGuard
    from mynah.training.guards.time_limit import TimeLimit


class CommittingTrainer(Trainer):
    """A Trainer whose checkpoints are commits, without pickle (:mod:`mynah.checkpoints.commit`).

    Trainer itself writes files straight into ``checkpoint-N``, among them pickled ones, and
    leaves the running loss out. What a subclass keeps in the attributes below is saved and
    comes back when a training is resumed.

    Attributes:
        family: What is trained.
        skipped: Utterances that could not be used, id to reason.
        disk: Sees that a checkpoint will fit before it is written.
        guard: Judges the loss of every step.
        time_limit: Told how long a save takes; None where there is no limit.
    """

    model: Any
    optimizer: Any
    lr_scheduler: Any
    family: Family
    skipped: dict[str, str]
    time_limit: TimeLimit | None
    _config: Config
    _settings: dict[str, Any]
    _steps_total: int
    _output_directory: Path
    _extra_files: dict[str, str]
    _on_first_checkpoint: Callable[[], None] | None
    _resumed_from: Path | None
    _logged_total: float
    _logged_count: float
    guard: LossGuard
    disk: DiskWatch
    _pending_evaluation: bool
    _scores: dict[str, float]
    _scores_step: int
    _plan: Batches[Any]
    _stream_states: list[dict[str, Any]]

    def _stream_state(self) -> dict[str, Any] | None:
        """Where this rank's stream stands, None where the corpus is a table."""
        batches = self.state.global_step * self._config.training.gradient_accumulation_steps
        return self._plan.state(batches)

    @contextmanager
    def _paused(self) -> Iterator[None]:
        """Around what is no training step; a subclass leaves it out of its speed."""
        yield

    @property
    def _wants_best(self) -> bool:
        training = self._config.training
        return training.load_best_model_at_end or training.save_strategy == "best"

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        gathered = distributed.gather_to_first(
            (state.random_state(self.args.device), self.skipped, self._stream_state())
        )
        failure: UserError | None = None
        if distributed.rank() == 0:
            for _, skipped, _ in gathered:
                self.skipped = {**self.skipped, **skipped}
            randoms = [found for found, _, _ in gathered]
            self._stream_states = [position for _, _, position in gathered if position]
            began = time.monotonic()
            try:
                with self._paused():
                    self.disk.make_room(best=self._best_checkpoint())
                    self._commit(randoms)
            except UserError as error:
                failure = error
            if self.time_limit is not None:
                self.time_limit.took(save_seconds=time.monotonic() - began)
        failure = distributed.from_first(failure)
        if failure is not None:
            failure.shared = True
            raise failure
        if self._on_first_checkpoint is not None:
            announce, self._on_first_checkpoint = self._on_first_checkpoint, None
            if distributed.rank() == 0:
                announce()

    def _commit(self, randoms: list[Any]) -> None:
        step = self.state.global_step
        final = checkpoints.checkpoint_path(self._output_directory, step)
        with checkpoints.commit(final, expected_bytes=self._expected_bytes()) as staging:
            self.family.save(staging)
            state.save_tree(self.optimizer.state_dict(), staging, "optimizer")
            state.save_tree(self.lr_scheduler.state_dict(), staging, "scheduler")
            if self.accelerator.scaler is not None:
                state.save_tree(self.accelerator.scaler.state_dict(), staging, "scaler")
            for rank, tree in enumerate(randoms):
                state.save_tree(tree, staging, f"rng_state_{rank}")
            self.state.save_to_json(str(staging / "trainer_state.json"))
            about = json.dumps(self._about(), indent=2, ensure_ascii=False) + "\n"
            for name, text in {**self._extra_files, ABOUT_NAME: about}.items():
                (staging / name).write_text(text, encoding="utf-8")
        checkpoints.retain(
            self._output_directory,
            limit=self._config.training.save_total_limit,
            best=self._best_checkpoint() if self._wants_best else None,
        )

    def _about(self) -> dict[str, Any]:
        measured = self._scores_step == self.state.global_step
        return {
            "version": mynah.__version__,
            "family": self.family.name,
            "step": self.state.global_step,
            "epoch": self.state.epoch,
            "scores": self._scores if measured else {},
            "best": {"step": self.state.best_global_step, "score": self.state.best_metric},
            "base_revisions": self.family.base_revisions(),
            "parameters": [list(row) for row in self.family.parameter_table()],
            "fingerprints": {"data": self._settings["training data (fingerprint)"]},
            "training": {
                "settings": self._settings,
                "steps_total": self._steps_total,
                "world_size": distributed.world_size(),
                "machine": describe_machine(self.family.model),
                "logged_total": self._logged_total,
                "logged_count": self._logged_count,
                "guard": self.guard.state(),
                "pending_evaluation": self._pending_evaluation,
                "skipped": self.skipped,
                "stream": self._stream_states,
            },
        }

    def _expected_bytes(self) -> int:
        trained = sum(
            p.numel() * p.element_size() for p in self.model.parameters() if p.requires_grad
        )
        return self.family.saved_bytes() + 2 * trained

    def _best_checkpoint(self) -> Path | None:
        step = self.state.best_global_step
        if step is None:
            return None
        places = [self._output_directory]
        if self._resumed_from is not None:
            places.append(self._resumed_from.parent)
        candidates = [checkpoints.checkpoint_path(place, step) for place in places]
        return next((path for path in candidates if path.is_dir()), None)

    def chosen_checkpoint(self) -> Path | None:
        """The best checkpoint where the best is wanted and known, else the newest."""
        best = self._best_checkpoint() if self._config.training.load_best_model_at_end else None
        newest = checkpoints.checkpoint_path(self._output_directory, self.state.global_step)
        if best is None and not newest.is_dir() and self._resumed_from is not None:
            return self._resumed_from
        return best or (newest if newest.is_dir() else None)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        directory = Path(resume_from_checkpoint)
        self._resumed_from = directory
        loaded = type(self.family).load(directory, offline=self._config.offline)
        try:
            weights.take_over(self.family.model, loaded.model)
        except RuntimeError as error:
            raise UserError(
                "The model of this run is not that of the checkpoint: "
                f"{str(error).splitlines()[-1].strip()}",
                where=str(directory),
                fix="leave the model settings as they were",
            ) from error
        about = read_about(directory)["training"]
        self._logged_total = about["logged_total"]
        self._logged_count = about["logged_count"]
        self.guard.restore(about["guard"])
        self._pending_evaluation = about["pending_evaluation"]
        self.skipped = dict(about["skipped"])
        self._plan.restore(about["stream"])

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        self.optimizer.load_state_dict(state.load_tree(Path(checkpoint), "optimizer"))
        self.lr_scheduler.load_state_dict(state.load_tree(Path(checkpoint), "scheduler"))

    def _load_scaler(self, checkpoint: str | None) -> None:
        if checkpoint is None or self.accelerator.scaler is None:
            return
        if (Path(checkpoint) / "scaler.json").exists():
            self.accelerator.scaler.load_state_dict(state.load_tree(Path(checkpoint), "scaler"))

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        stem = f"rng_state_{distributed.rank()}"
        if (Path(checkpoint) / f"{stem}.json").exists():
            state.set_random_state(state.load_tree(Path(checkpoint), stem), self.args.device)
