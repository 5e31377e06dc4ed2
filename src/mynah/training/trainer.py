"""Training: one function, and the one subclass of transformers' Trainer behind it."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah import console, distributed
from mynah.checkpoints import commit as checkpoints
from mynah.checkpoints.set_aside import set_aside
from mynah.data.augmentation.chain import Augmentation
from mynah.data.positions import Key
from mynah.distributed import planned_ranks, world_size
from mynah.errors import UserError, reading_checkpoint
from mynah.machine import describe_machine, is_out_of_memory
from mynah.runs.directory import SUMS, log_directory
from mynah.training.arguments import (
    interval,
    reporters,
    steps_total,
    training_arguments,
)
from mynah.training.guards.stops import Failed, StopRequest
from mynah.training.guards.time_limit import time_limit
from mynah.training.job import Job
from mynah.training.resuming.resume import check_resume, fixed_settings

if TYPE_CHECKING:
    from mynah.checkpoints.clip_lengths import ClipLengths
    from mynah.config.schema import Config
    from mynah.data.positions import Batches
    from mynah.data.utterances import TrainingData
    from mynah.models.family import Family
    from mynah.training.engine import MynahTrainer

__all__ = ["TrainingResult", "train", "world_size"]


@dataclass(frozen=True)
class TrainingResult:
    """What a training came to.

    Attributes:
        steps: Optimizer steps done, those before a resume included.
        epochs: Passes over the training data, as a fraction.
        best_checkpoint: The checkpoint to use: the best by ``metric_for_best_model`` where
            ``load_best_model_at_end`` asks for it and an evaluation found one, else the
            newest; None where nothing was saved.
        best_score: The best value of ``metric_for_best_model``, or None.
        history: What was logged, one dict a log or an evaluation, with ``step``.
        interrupted: Whether it was stopped before its end; a checkpoint was written then.
        minutes: Since the training began, evaluations and saves included, by step.
        best_checkpoints: The best that were measured, as many as
            ``training.average_checkpoints`` asks for.
        average_note: What the average of checkpoints came to, in a sentence; None: there is none.
        stopped_by: What stopped it: a signal's name or a limit's; None where it ended.
        seconds: Wall-clock time of this call.
        skipped: Training utterances that could not be used: id to reason.
    """

    steps: int
    epochs: float
    best_checkpoint: Path | None
    best_score: float | None
    history: list[dict[str, Any]]
    interrupted: bool
    seconds: float
    skipped: dict[str, str] = field(default_factory=dict)
    minutes: Mapping[int, float] = field(default_factory=dict)
    best_checkpoints: tuple[Path, ...] = ()
    average_note: str | None = None
    stopped_by: str | None = None

    @property
    def measured_step(self) -> int | None:
        """The step whose weights are the model's; None of an average."""
        best = self.best_checkpoint
        return self.steps if best is None else checkpoints.step_of(best)

    @property
    def timed_history(self) -> list[dict[str, Any]]:
        """The history with ``minutes`` in the entries whose time is known."""
        return [
            entry | {"minutes": self.minutes[entry["step"]]}
            if entry.get("step") in self.minutes
            else entry
            for entry in self.history
        ]


def train(
    family: Family,
    corpus: TrainingData[Key],
    plan: Batches[Key],
    config: Config,
    *,
    output_directory: Path,
    evaluate: Callable[[int], Mapping[str, float]],
    augmentation: Augmentation | None = None,
    resume: Path | None = None,
    clips: ClipLengths | None = None,
    measured_by: Mapping[str, Any] | None = None,
    on_first_checkpoint: Callable[[], None] = lambda: None,
    on_commit: Callable[[], None] | None = None,
    extra_files: Mapping[str, str] | None = None,
    elapsed_seconds: float = 0.0,
) -> TrainingResult:
    """Train a family on a corpus, in the batches of a plan.

    Args:
        family: The model; trained in place. With ``resume`` its weights are replaced by the
            checkpoint's, strictly, so it may be freshly built.
        corpus: Training utterances, a table or a stream.
        plan: Which rows make which batch of this rank.
        config: The checked settings.
        output_directory: Where ``checkpoint-N`` go, and at the end the best model.
        evaluate: Measures the model at a step: error rates by name, as ``eval_wer``.
        augmentation: Of the training audio; None: opened here, as the settings say.
        resume: An intact checkpoint to resume from.
        clips: Lengths of the training utterances; None: not known.
        measured_by: What the scores depend on besides the model, by name: with another one they
            are not compared with those before a resume.
        on_first_checkpoint: Called once, after the first checkpoint of this call is complete.
        on_commit: Called on the first rank after each checkpoint is complete.
        extra_files: Text files written into every checkpoint, by name.
        elapsed_seconds: What of ``training.max_time`` went before this call.

    Raises:
        UserError: The disk is full, a resumed training is not the same one, a setting
            cannot be honoured, or nothing can be read.
    """
    started = time.monotonic()
    if augmentation is None:
        augmentation = Augmentation.open(
            config.data.augmentation,
            sample_rate=corpus.sample_rate,
            seed=config.training.seed,
        )
    job = Job(
        family, corpus, plan, config, augmentation, output_directory, evaluate,
        on_first_checkpoint, on_commit, dict(extra_files or {}),
        fixed_settings(config, corpus, augmentation), clips, dict(measured_by or {}),
    )  # fmt: skip
    first_step = _begun(job, resume)
    with quiet_transformers(config):
        trainer = _make_trainer(job, first_step=first_step, elapsed_seconds=elapsed_seconds)
        _run(trainer, resume)
    return _result(trainer, started)


def _begun(job: Job[Key], resume: Path | None) -> int:
    """The step that a training begins at: 0, or that of a checkpoint, which is checked."""
    config = job.config
    if job.augmentation.masks and job.family.feature_seconds is None:
        console.notice(
            "data.augmentation.spec_augment has no effect: this model takes samples, and masks "
            "are for spectral features."
        )
    if job.augmentation.warps and not job.family.log_mel:
        console.notice(
            "data.augmentation.vocal_tract_factors has no effect: it is for frames of mel bins "
            "on Slaney's scale, and this model takes other input."
        )
    differ = job.augmentation.masks or (job.augmentation.warps and job.family.log_mel)
    masked = differ or job.family.feature_seconds is None  # or inside the model
    if config.model.ctc_consistency and not masked:
        console.notice(
            "model.ctc_consistency has two copies of an utterance that dropout alone tells apart: "
            "no masks are on (data.augmentation.spec_augment.time_masks=2)."
        )
    for name in checkpoints.clean(job.output_directory) if distributed.rank() == 0 else []:
        console.notice(f"{name} was cut short while it was written; it is removed.")
    if resume is None:
        return 0
    checkpoints.verify(resume)
    total = steps_total(job.plan, config)
    with reading_checkpoint(resume):
        step = check_resume(
            resume,
            job.settings,
            world_size=world_size(),
            planned=planned_ranks(),
            steps=total,
            machine=describe_machine(job.family.model),
        )
        _check_state(resume, step)
    if distributed.rank() == 0:
        # The one resumed from stays, under whatever name it was given.
        _set_aside(job, max(step, checkpoints.step_of(resume) or 0))
    console.say(f"Resuming at step {step:,} of {total:,}")
    return step


def _set_aside(job: Job[Key], step: int) -> None:
    """Move checkpoints of later steps, of the course before, out of the way, and say so."""
    later = set_aside(job.output_directory, after=step)
    if not later:
        return
    from mynah.training.trackers import begin_course

    tracked = begin_course(log_directory(job.output_directory), step)
    mirrored = model = ""
    if job.config.training.mirror is not None:
        mirrored = " (training.mirror has them no longer once the next checkpoint is there)"
    if (job.output_directory / SUMS).is_file():  # the course before had ended
        model = f" The model in {job.output_directory} is that of before until this training ends."
    console.notice(
        f"{', '.join(path.name for path in later)}: of later steps than {step:,}, where this "
        f"training resumes, so moved to {later[0].parent} and kept there{mirrored}. "
        "resume_from_checkpoint=last does not mean them any more: remove that folder, or resume "
        f"from one of them, by its path, in a run of its own.{model}"
    )
    if tracked:
        console.say(f"A run of its own from step {step:,} on, in {', '.join(tracked)}")


def _check_state(checkpoint: Path, step: int) -> None:
    """Read what Trainer will read of a checkpoint; it looks at nothing itself.

    Raises:
        ValueError: It is not the state of a training at this step.
    """
    from transformers.trainer_callback import TrainerState

    state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    logged = isinstance(state.log_history, list) and all(
        isinstance(entry, dict) for entry in state.log_history
    )
    if state.global_step != step or not logged:
        raise ValueError(f"trainer_state.json is not that of step {step}")


def _run(trainer: MynahTrainer[Key], resume: Path | None) -> None:
    """Trainer's loop, with what watches over it."""
    limit, watchdog = trainer.time_limit, trainer.feed.watchdog
    others = set(multiprocessing.active_children())
    with (
        trainer.stop.listening(),
        limit.watched() if limit else nullcontext(),
        watchdog.watching() if watchdog else nullcontext(),
    ):
        try:
            trainer.train(resume_from_checkpoint=str(resume) if resume else None)
        except Failed as failed:
            raise failed.problem from None
        except (RuntimeError, MemoryError) as error:
            if "DataLoader worker" in str(error):
                raise _lost_worker(error) from error
            if is_out_of_memory(error):  # elsewhere than in a batch's gradient: the optimizer's
                raise _out_of_memory(error, trainer.state.global_step) from error
            raise
        finally:
            _kill(set(multiprocessing.active_children()) - others)
            trainer.close()


def _result(trainer: MynahTrainer[Key], started: float) -> TrainingResult:
    """What came of it; where it was not interrupted, its best checkpoint is published."""
    chosen = trainer.checkpointer.chosen()
    skipped = trainer.gradient.skipped.reasons
    interrupted = trainer.measurer.interrupted or trainer.stop.requested
    steps = trainer.state.global_step
    trainer.gradient.guard.account(steps, skipped, stopped=interrupted)
    if trainer.average is not None and not interrupted:
        trainer.average.swap()  # the model of who has no checkpoint to load
    if trainer.placement.shards and distributed.from_first(chosen is None):
        trainer.placement.keep_in_full()
    if chosen is not None and not interrupted and distributed.rank() == 0:
        checkpoints.copy_to_model_directory(chosen, trainer.job.output_directory)
    if distributed.rank() == 0:
        console.say(f"Waited for data: {trainer.feed.loader_wait.share:.1%} of the time")
    if skipped:
        console.notice(
            f"{len(skipped):,} training utterance(s) could not be used and were left out."
        )
    return TrainingResult(
        steps=steps,
        epochs=float(trainer.state.epoch or 0.0),
        best_checkpoint=chosen,
        best_score=trainer.state.best_metric,
        history=[dict(entry) for entry in trainer.state.log_history],
        interrupted=interrupted,
        seconds=time.monotonic() - started,
        skipped=dict(skipped),
        minutes=dict(trainer.minutes.noted) if trainer.minutes else {},
        best_checkpoints=tuple(
            trainer.checkpointer.best_measured(trainer.job.config.training.average_checkpoints or 0)
        ),
        stopped_by=trainer.stop.reason if interrupted else None,
    )


def _kill(workers: set[Any]) -> None:
    """End data workers, however the training ended: they leave SIGTERM to the training, so that
    this process would wait for them for ever at its end."""
    for worker in workers:
        with suppress(RuntimeError):  # torch's own report that a worker was killed
            worker.kill()
            worker.join()


def _lost_worker(error: BaseException) -> UserError:
    return UserError(
        f"A data worker was killed, most likely for want of memory: {str(error).splitlines()[0]}",
        where="training.dataloader_num_workers",
        fix="use fewer workers, or resume the training: resume_from_checkpoint=last",
    )


def _out_of_memory(error: BaseException, step: int) -> UserError:
    said = (str(error).splitlines() or [""])[0]
    return UserError(
        "The memory is too small for this training" + (f": {said}" if said else "."),
        where=f"after step {step}",
        fix="set training.gradient_checkpointing=true, with which it may be resumed as well; or "
        "begin one with a lower training.batch_seconds (and as much more of "
        "training.gradient_accumulation_steps)",
    )


def _make_trainer(job: Job[Key], *, first_step: int, elapsed_seconds: float) -> MynahTrainer[Key]:
    # transformers' Trainer takes seconds to import: only here, where training is certain.
    from mynah.training.callbacks import Progress, Schedule
    from mynah.training.engine import MynahTrainer
    from mynah.training.guards.directory import DirectoryWatch
    from mynah.training.minutes import Minutes
    from mynah.training.trackers import trackers

    config, total = job.config, job.steps_total
    training = config.training
    arguments = training_arguments(
        config, job.plan, output_directory=job.output_directory, resuming=first_step > 0,
        rows=job.corpus.size or 0, pretrained=job.family.pretrained,
    )  # fmt: skip
    stop = StopRequest()
    limit = time_limit(training, elapsed_seconds=elapsed_seconds, ask=stop.limit_reached)
    trainer = MynahTrainer(job, arguments, stop=stop, time_limit=limit)
    watched = trackers(
        reporters(training) if distributed.rank() == 0 else [],
        log_directory(job.output_directory),
        first_step=first_step,
    )
    for tracker in watched:  # before the schedule, whose beginning may log an evaluation
        trainer.add_callback(tracker)
    trainer.add_callback(
        Schedule(trainer, training, steps_per_epoch=job.steps_per_epoch, steps_total=total)
    )
    if distributed.rank() == 0:
        trainer.add_callback(DirectoryWatch(job.output_directory))
        every = interval(training.save_steps, total)
        left = total - first_step
        trainer.checkpointer.disk.warn_early(saves=max(1, left // every) if every else 1)
        trainer.show(Progress(trainer, bar=training.disable_tqdm is not True))
        trainer.take_minutes(Minutes(log_directory(job.output_directory), first_step=first_step))
    return trainer


@contextmanager
def quiet_transformers(config: Config) -> Iterator[None]:
    """Keep transformers' own bars and warnings off the screen; ``training.log_level`` wins."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    if (getattr(config.training, "log_level", None) or "passive") == "passive":
        logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
