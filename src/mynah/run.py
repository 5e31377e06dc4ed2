"""One run from top to bottom: train, or evaluate a checkpoint.

Config -> corpus -> batch plan -> family -> trainer -> checkpoint -> evaluation -> report.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mynah import console, distributed, neighbours
from mynah.config.checkpointed import asked_decoding, with_absolute_paths
from mynah.config.effective import effective_yaml
from mynah.config.naming.one_corpus import named_languages
from mynah.config.notices import notices
from mynah.config.schema import Config
from mynah.files import display_path
from mynah.machine import untested_versions
from mynah.offline import network_only_if
from mynah.runs import directory as runs_directory
from mynah.runs import replaced
from mynah.runs.record import RunRecord
from mynah.runs.summary import eval_command
from mynah.stopping.signals import Interrupted
from mynah.training.guards import slurm

if TYPE_CHECKING:
    from mynah.checkpoints.mirror import Mirror
    from mynah.config.origins import Origin
    from mynah.data.positions import Batches, Key
    from mynah.data.preparation.prepare import PreparedData
    from mynah.data.preparation.training_rows import PreparedRows
    from mynah.data.utterances import TrainingData
    from mynah.evaluation.baseline.change import Changes
    from mynah.evaluation.evaluate import Evaluation
    from mynah.evaluation.splits import PeriodicEvaluation
    from mynah.models.family import Family
    from mynah.models.registry import CheckedModel
    from mynah.training.planning import PlannedBatches
    from mynah.training.trainer import TrainingResult


@dataclass(frozen=True)
class Run:
    """What a run came to.

    Attributes:
        directory: The run's directory.
        model: Where its model is: the best checkpoint of a training, or what was measured.
        evaluations: The final measurements by split name; empty where nothing was measured.
        report: The page, or None where nothing was measured.
        interrupted: Whether the user stopped it; a checkpoint was written then.
    """

    directory: Path
    model: Path
    evaluations: dict[str, Evaluation]
    report: Path | None
    interrupted: bool = False


@dataclass(frozen=True)
class RunPlace:
    """Where a run happens.

    Attributes:
        run: The run's own directory.
        working: Where the command was typed.
        output: Where a training's checkpoints go.
    """

    run: Path
    working: Path
    output: Path

    @classmethod
    def shared_by_ranks(cls, config: Config, run: Path, working: Path) -> RunPlace:
        """The place of a run; several processes take that of the first."""
        if distributed.world_size() > 1:
            from mynah.machine import device_for
            from mynah.training.sharing import check_settings

            distributed.start_ranks(
                on_cpu=device_for(config).type == "cpu",
                timeout_seconds=config.training.ranks_timeout_seconds,
                collective_seconds=float(getattr(config.training, "ddp_timeout", None) or 1800),
            )
            check_settings(config)
            run = Path(distributed.from_first(str(run)))
        return cls(run, working, Path(config.training.output_dir or run / runs_directory.MODEL))

    def link_newest_model(self) -> None:
        """Point ``outputs/model`` to this run's model, now that it holds a checkpoint."""
        before = replaced.pointed_to(self.working / "outputs")
        if runs_directory.link_newest_model(self.working / "outputs", self.output):
            console.say(f"outputs/model -> {display_path(self.output, self.working)}")
            replaced.note_replaced(self.run, before, self.output)

    def say_what_was_replaced(self) -> None:
        """What ``outputs/model`` pointed to before this run, and how to point it back."""
        if distributed.is_first_rank():
            for line in replaced.told_of_replaced(self.run, self.output, self.working):
                console.say(line)


def run(
    config: Config,
    *,
    origins: Mapping[str, Origin],
    run_directory: Path,
    working_directory: Path,
) -> Run:
    """Train, or with ``eval_checkpoint`` measure.

    Args:
        config: The checked settings.
        origins: For each dotted key the layer that set it.
        run_directory: The run's own directory, claimed already.
        working_directory: Where the command was typed: relative paths are meant from there.

    Raises:
        UserError: Anything that is the user's to fix.
    """
    neighbours.sleep_where_busy()  # before torch is loaded
    settings = with_absolute_paths(config, working_directory)
    for text in [*untested_versions(), *notices(settings, origins)]:
        console.notice(text)
    with distributed.own_errors(), network_only_if(not settings.offline):
        place = RunPlace.shared_by_ranks(settings, run_directory, working_directory)
        try:
            if settings.eval_checkpoint is not None:
                return evaluate(settings, origins, place)
            return train(settings, place, asked_decoding(origins))
        except Interrupted:
            say_how_to_begin_again(settings, place)
            raise


def train(config: Config, place: RunPlace, asked: Collection[str] = ()) -> Run:
    """Corpus -> batches -> family -> training -> checkpoint -> evaluation -> report.

    Args:
        config: The settings, paths absolute.
        place: Where the run happens.
        asked: Settings of decoding that were asked for, without ``model.``.
    """
    from mynah.training.resuming.beginning import mirrored

    started = time.monotonic()
    with mirrored(config, place.run, place.output) as mirror:
        done = train_mirrored(config, place, mirror, started, asked)
        unmirrored = mirror.finish() if mirror is not None and not done.interrupted else None
    if not done.interrupted:
        say_what_is_next(place, done.report, seconds=time.monotonic() - started)
    if unmirrored is not None:
        raise unmirrored
    return done


def train_mirrored(
    config: Config,
    place: RunPlace,
    mirror: Mirror | None,
    started: float,
    asked: Collection[str] = (),
) -> Run:
    """The training, with what copies its checkpoints elsewhere."""
    from mynah.training.resuming.beginning import checkpoint_to_resume

    resume = checkpoint_to_resume(config, place.working, place.output, mirror)

    from mynah.data.preparation.training_rows import prepared_rows
    from mynah.evaluation.baseline.before import base_before
    from mynah.evaluation.baseline.change import base_and_tuned
    from mynah.evaluation.baseline.guards import guard_corpora
    from mynah.evaluation.baseline.replay import named_speech, with_replay
    from mynah.evaluation.splits import PeriodicEvaluation, check_scoring, measured
    from mynah.training.averaging.checkpoints import averaged
    from mynah.training.confidences import keep_confidences
    from mynah.training.planning import planned_batches

    check_scoring(config)
    order = runs_directory.next_order(place.working / "outputs")
    with RunRecord.of_run(place.run, config, order) as record:
        checked = checked_model(config)
        guards = guard_corpora(config, place.working)
        speech = named_speech(config, checked, place.working)
        corpus = prepared_rows(config, place.run, place.working)
        family = initialized(checked, corpus, config, asked)
        rows = with_replay(config, checked, family, corpus, speech, place.working)
        planned = planned_batches(config, family, rows, place.run, resume)
        before = base_before(planned.config, checked, family, rows.data, guards)
        periodic = PeriodicEvaluation(planned.config, family, rows.data.evaluation)
        outcome = trained(planned, family, rows, place, resume, started, mirror, periodic)
        if outcome.interrupted:
            record.status = "interrupted"
            if mirror is not None:
                mirror.stopped()
            place.say_what_was_replaced()
            say_how_to_go_on(config, place, outcome)
            return Run(place.run, place.output, {}, None, interrupted=True)
        final, known = averaged(outcome, planned.config, rows.data.evaluation, place.output)
        best = model_to_use(final, family, planned.config)
        known = known or periodic.of_step(final.measured_step)
        evaluations = measured(planned.config, best, rows.data.measured, known)
        keep_confidences(planned.config, best, final, place.output, rows.data, evaluations)
        changed = base_and_tuned(planned.config, before, evaluations, best)
        report = reported(planned.config, place, rows.data, evaluations, best, final, changed)
    return Run(place.run, place.output, evaluations, report)


def evaluate(config: Config, origins: Mapping[str, Origin], place: RunPlace) -> Run:
    """Checkpoint -> corpora, its own unless others are named -> evaluation -> report."""
    from mynah.evaluation.measured_model import measured_model

    model = measured_model(config, origins, place.working)
    settings = model.config

    from mynah.data.preparation.prepare import prepare
    from mynah.data.preparation.training_rows import save_account
    from mynah.evaluation.run_report import measured_on, write_report
    from mynah.evaluation.splits import check_scoring, measured

    check_scoring(settings)
    with RunRecord.of_run(place.run, settings):
        data = prepare(
            settings.data,
            offline=settings.offline,
            working_directory=place.working,
            train=False,
        )
        save_account(place.run, data)
        for line in measured_on(data):
            console.say(f"Measuring on {line}")
        runs_directory.write_settings(place.run, settings)
        family = model.load()
        for split in data.evaluation.values():
            family.check_decoded_languages(split.distinct_languages)
        evaluations = measured(settings, family, data.evaluation)
        report = write_report(
            settings,
            place.run,
            evaluations,
            data,
            history=[],
            checkpoint=model.place,
            decoding=family.describe_decoding(),
        )
    if report is not None:
        console.say(f"Report: {display_path(report, place.working)}")
    return Run(place.run, model.place, evaluations, report)


def checked_model(config: Config) -> CheckedModel:
    """The model that is asked for, its names found, before anything is prepared."""
    from mynah.models import registry

    registry.check_machine(config.model)
    rate, offline, named = config.data.sample_rate, config.offline, named_languages(config)
    checked = registry.check_model(config.model, sample_rate=rate, offline=offline, languages=named)
    return checked.packing(config.training.sequence_packing)


def initialized(
    checked: CheckedModel, rows: PreparedRows, config: Config, asked: Collection[str] = ()
) -> Family:
    """The model, from scratch or with pretrained weights, on its device."""
    from mynah.machine import device_for, seed_everything, use_threads
    from mynah.models.recognizer import hold_asked

    use_threads(config)
    seed_everything(config.training.seed)
    family = checked.build(rows.training.tokenizer_texts)
    family.configure_decoding(config.model)
    hold_asked(family, config.model, asked)
    family.model.to(device_for(config))
    return family


def trained(
    planned: PlannedBatches,
    family: Family,
    rows: PreparedRows,
    place: RunPlace,
    resume: Path | None,
    started: float,
    mirror: Mirror | None,
    periodic: PeriodicEvaluation,
) -> TrainingResult:
    """The training itself, of a table or of a stream."""
    from mynah.data.preparation.training_rows import save_account
    from mynah.training import trainer
    from mynah.training.sharing import check_plan

    check_plan(planned, rows)
    config = planned.config

    def train_on(training: TrainingData[Key], batches: Batches[Key]) -> TrainingResult:
        return trainer.train(
            family,
            training,
            batches,
            config,
            output_directory=place.output,
            evaluate=periodic,
            augmentation=rows.augmentation,
            resume=resume,
            clips=planned.clips,
            measured_by=planned.measured_by,
            on_first_checkpoint=place.link_newest_model,
            on_commit=mirror.committed if mirror is not None else None,
            elapsed_seconds=time.monotonic() - started,
            extra_files={"config.yaml": effective_yaml(config)},
        )

    if rows.stream is None:
        return train_on(planned.judged, planned.plan)

    from mynah.training.loading.stream_loader import StreamPlan

    streamed = StreamPlan(
        rows.stream,
        config,
        rank=distributed.rank(),
        world_size=trainer.world_size(),
        left_out=place.run / f"left_out{distributed.rank() or ''}.jsonl",
    )
    outcome = train_on(rows.stream, streamed)
    rows.data.report["splits"]["train"]["dropped"] = streamed.left_out_counts
    save_account(place.run, rows.data)
    return outcome


def model_to_use(outcome: TrainingResult, family: Family, config: Config) -> Family:
    """The model of the checkpoint to use; the model as it is where none was written."""
    from mynah.evaluation.measured_model import loaded

    best = outcome.best_checkpoint
    return family if best is None else loaded(best, config)


def reported(
    config: Config,
    place: RunPlace,
    data: PreparedData,
    evaluations: dict[str, Evaluation],
    family: Family,
    outcome: TrainingResult,
    changed: Changes | None,
) -> Path | None:
    """The report of a training; None where nothing was measured."""
    from mynah.evaluation.run_report import selection_note, write_report

    return write_report(
        config,
        place.run,
        evaluations,
        data,
        history=outcome.timed_history,
        checkpoint=outcome.best_checkpoint,
        decoding=family.describe_decoding(),
        selection=selection_note(config, outcome.history, evaluations, outcome.average_note),
        changed=changed,
    )


def say_how_to_go_on(config: Config, place: RunPlace, outcome: TrainingResult) -> None:
    """After a stop: how to resume; a cluster's job begins again by itself."""
    say_how_to_begin_again(config, place)
    if config.training.requeue and slurm.may_requeue(outcome.stopped_by):
        slurm.requeue()


def say_how_to_begin_again(config: Config, place: RunPlace) -> None:
    """After a stop that came while no step was done: before the first, or after the last."""
    if config.eval_checkpoint is not None:
        console.say("Stopped. The same command measures it from the beginning.")
    elif runs_directory.complete_checkpoints(place.output):
        console.say("Stopped. To resume, add resume_from_checkpoint=last")
    else:
        again = "The same command begins again, with what was prepared."
        console.say(f"Stopped before the first checkpoint. {again}")


def say_what_is_next(place: RunPlace, report: Path | None, *, seconds: float) -> None:
    """The end of a training that was measured."""
    place.say_what_was_replaced()
    if report is None:
        return
    shown, model = (display_path(path, place.working) for path in (report, place.output))
    console.say(f"Done in {seconds / 60:.1f} minutes. Report: {shown}")
    console.say(f"Next: measure it again with  {eval_command(model)}")
