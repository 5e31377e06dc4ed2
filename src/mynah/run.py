"""One run from top to bottom: train, or evaluate a checkpoint.

Config -> corpus -> batch plan -> family -> trainer -> checkpoint -> evaluation -> report.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mynah import console, distributed
from mynah.checkpoints import find
from mynah.config.checkpointed import checkpoint_config, with_absolute_paths
from mynah.config.effective import effective_yaml
from mynah.config.notices import notices
from mynah.config.schema import Config
from mynah.files import display_path
from mynah.machine import untested_versions
from mynah.offline import network_only_if
from mynah.runs import directory as runs_directory
from mynah.runs.record import RunRecord
from mynah.runs.summary import Outlook, eval_command, summarize
from mynah.training.guards import slurm

if TYPE_CHECKING:
    from mynah.config.origins import Origin
    from mynah.data.corpus import Corpus
    from mynah.data.positions import Batches, Key
    from mynah.data.preparation.prepare import PreparedData
    from mynah.data.utterances import TrainingData, Utterances
    from mynah.evaluation.evaluate import Evaluation
    from mynah.models.family import Family
    from mynah.training.trainer import TrainingResult


@dataclass(frozen=True)
class RunResult:
    """What a run came to.

    Attributes:
        directory: The run's directory.
        evaluations: The final measurements by split name; empty where nothing was measured.
        report: The page, or None where nothing was measured.
        interrupted: Whether the user stopped it; a checkpoint was written then.
    """

    directory: Path
    evaluations: dict[str, Evaluation]
    report: Path | None
    interrupted: bool = False


def run(
    config: Config,
    *,
    origins: Mapping[str, Origin],
    run_directory: Path,
    working_directory: Path,
) -> RunResult:
    """Train, or with ``eval_checkpoint`` measure.

    Args:
        config: The checked settings.
        origins: For each dotted key the layer that set it.
        run_directory: The run's own directory, claimed already.
        working_directory: Where the command was typed: relative paths are meant from there.

    Raises:
        UserError: Anything that is the user's to mend.
    """
    config = with_absolute_paths(config, working_directory)
    for text in [*untested_versions(), *notices(config, origins)]:
        console.notice(text)
    if distributed.world_size() > 1:
        from mynah.machine import device_for

        distributed.start(on_cpu=device_for(config).type == "cpu")
        run_directory = Path(distributed.from_first(str(run_directory)))
    with distributed.own_errors(), network_only_if(not config.offline):
        if config.eval_checkpoint is not None:
            return evaluate_checkpoint(config, origins, run_directory, working_directory)
        return train(config, run_directory, working_directory)


def train(config: Config, directory: Path, working_directory: Path) -> RunResult:
    """Prepare data, build or load the model, train, and measure the best checkpoint."""
    started = time.time()
    output = Path(config.training.output_dir or directory / "model")
    resume = None
    if config.resume_from_checkpoint is not None:
        resume = distributed.on_first(
            lambda: find.resolve_resume(
                config, working_directory=working_directory, output_directory=output
            )
        )
        if resume is None:
            console.say("There is nothing to resume yet: this is a new run.")
    if resume is not None:
        from mynah.checkpoints.commit import verify

        verify(resume)  # before hours may go into preparing data
        console.say(f"Going on from {resume}")
    runs_directory.check_output_directory(output, resume=resume)
    with RunRecord.of_run(directory, config) as record:
        result = train_recorded(
            config, directory, working_directory, output, resume, started=started
        )
        record.status = "interrupted" if result.interrupted else "done"
    if result.report is not None:
        elapsed = time.time() - started
        console.say(
            f"Done in {elapsed / 60:.1f} minutes. "
            f"Report: {_displayed(result.report, working_directory)}"
        )
        model = display_path(output, working_directory)
        console.say(f"Next: measure it again with  {eval_command(model)}")
    return result


def train_recorded(
    config: Config,
    directory: Path,
    working_directory: Path,
    output: Path,
    resume: Path | None,
    *,
    started: float,
) -> RunResult:
    """The training itself: from the corpus to the report."""
    from mynah.models import registry

    registry.check_machine(config.model)
    checked = registry.check(
        config.model, sample_rate=config.data.sample_rate, offline=config.offline
    )

    from mynah.data.augmentation.chain import Augmentation
    from mynah.data.preparation.prepare import prepare

    augmentation = Augmentation.open(
        config.data.augmentation,
        sample_rate=config.data.sample_rate,
        seed=config.training.seed,
    )
    streaming = config.data.streaming
    data = prepare(
        config.data,
        offline=config.offline,
        working_directory=working_directory,
        train=not streaming,
    )
    stream = None
    if streaming:
        from mynah.data.streams.stream import open_stream

        stream = open_stream(
            config.data, offline=config.offline, working_directory=working_directory
        )
        console.notice(stream.promises())
        data.report["splits"]["train"] = stream.about()
        data.report["fingerprints"]["train"] = stream.fingerprint
    training = stream or data.train
    assert training is not None
    if folders := augmentation.report():
        data.report["augmentation"] = folders
    write_account(directory, data)

    from mynah.machine import describe_device, device_for, seed_everything, use_threads

    use_threads(config)
    seed_everything(config.training.seed)
    family = checked.build(training.texts)
    family.configure_decoding(config.model)
    family.model.to(device_for(config))

    from mynah.training import trainer
    from mynah.training.arguments import steps_total
    from mynah.training.sizing.batch_size import batch_plan, with_batch_size
    from mynah.training.sizing.estimate import estimate
    from mynah.training.sizing.feasible import without_impossible

    # Of a stream the first rows stand for all: what is checked and estimated is of them.
    judged: Utterances = training.head(seed=config.training.seed)
    family.check_languages(set(judged.languages))
    judged = without_impossible(judged, family, config.data, report=data.report)
    write_account(directory, data)
    config = with_batch_size(config, family, judged, resume=resume)
    plan = batch_plan(judged, config)
    effective = effective_yaml(config)
    if distributed.rank() == 0:
        (directory / "config.yaml").write_text(effective, encoding="utf-8")
    cost = estimate(family, judged, plan, config, directory=directory)
    summarize(
        Outlook(
            model=family.name,
            parameters=family.parameter_table(),
            training=judged,
            streamed=streaming,
            evaluation=data.evaluation,
            steps=steps_total(plan, config),
            batches_per_epoch=plan.batches_per_epoch,
            padding=plan.padding_fraction(0),
            device=describe_device(family.model),
            seconds_per_step=cost.seconds_per_step,
            peak_bytes=cost.peak_bytes,
        )
    )
    evaluate_splits = periodic_evaluation(config, family, data.evaluation)

    def trained(rows: TrainingData[Key], batches: Batches[Key]) -> TrainingResult:
        return trainer.train(
            family,
            rows,
            batches,
            config,
            output_directory=output,
            evaluate=evaluate_splits,
            augmentation=augmentation,
            resume=resume,
            on_first_checkpoint=lambda: announce_model(working_directory, output),
            elapsed_seconds=time.time() - started,
            extra_files={
                "config.yaml": effective,
                "data.json": json.dumps(data.report, indent=2, ensure_ascii=False),
            },
        )

    if stream is not None:
        from mynah.training.loading.stream_loader import StreamPlan

        streamed = StreamPlan(
            stream,
            config,
            rank=distributed.rank(),
            world_size=trainer.world_size(),
            left_out=directory / f"left_out{distributed.rank() or ''}.jsonl",
        )
        outcome = trained(stream, streamed)
        data.report["splits"]["train"]["dropped"] = streamed.left_out_counts
        write_account(directory, data)
    else:
        outcome = trained(judged, plan)
    if outcome.interrupted:
        console.say("Stopped. To go on from here, add resume_from_checkpoint=last")
        if config.training.requeue and slurm.may_requeue(outcome.stopped_by):
            slurm.requeue()
        return RunResult(directory, {}, None, interrupted=True)

    if outcome.best_checkpoint is not None:
        family = registry.load(
            outcome.best_checkpoint,
            offline=config.offline,
            attention=config.model.attn_implementation,
        )
        family.configure_decoding(config.model)
        family.model.to(device_for(config))
    evaluations = measure(config, family, data.evaluation)
    from mynah.evaluation.run_report import selection_note, write_report

    report = write_report(
        config,
        directory,
        evaluations,
        data,
        history=outcome.history,
        checkpoint=outcome.best_checkpoint,
        decoding=family.describe_decoding(),
        selection=selection_note(config, outcome.history, evaluations),
    )
    return RunResult(directory, evaluations, report)


def evaluate_checkpoint(
    config: Config,
    origins: Mapping[str, Origin],
    directory: Path,
    working_directory: Path,
) -> RunResult:
    """Measure a checkpoint with its own model, tokenizer and (unless typed) data settings."""
    assert config.eval_checkpoint is not None
    checkpoint = find.resolve_checkpoint(config.eval_checkpoint, working_directory)

    from mynah.checkpoints.commit import verify

    verify(checkpoint)
    measured = checkpoint_config(checkpoint, config, origins)
    config = measured.config
    for text in measured.notices:
        console.notice(text)
    console.say(f"Evaluating {checkpoint}")

    from mynah.models import registry

    registry.check_checkpoint(checkpoint, offline=config.offline)
    with RunRecord.of_run(directory, config):
        return measure_checkpoint(config, checkpoint, directory, working_directory)


def measure_checkpoint(
    config: Config, checkpoint: Path, directory: Path, working_directory: Path
) -> RunResult:
    """The evaluation itself: from the corpora to the report."""
    from mynah.data.preparation.prepare import prepare
    from mynah.models import registry

    data = prepare(
        config.data, offline=config.offline, working_directory=working_directory, train=False
    )
    write_account(directory, data)
    from mynah.evaluation.run_report import measured_on, write_report

    for line in measured_on(data):
        console.say(f"Measuring on {line}")
    if distributed.rank() == 0:
        (directory / "config.yaml").write_text(effective_yaml(config), encoding="utf-8")

    from mynah.machine import device_for, use_threads

    use_threads(config)
    family = registry.load(
        checkpoint, offline=config.offline, attention=config.model.attn_implementation
    )
    family.configure_decoding(config.model)
    family.model.to(device_for(config))
    evaluations = measure(config, family, data.evaluation)
    report = write_report(
        config,
        directory,
        evaluations,
        data,
        history=[],
        checkpoint=checkpoint,
        decoding=family.describe_decoding(),
    )
    console.say(f"Report: {_displayed(report, working_directory)}")
    return RunResult(directory, evaluations, report)


def periodic_evaluation(
    config: Config, family: Family, corpora: Mapping[str, Corpus]
) -> Callable[[int], dict[str, float]]:
    """A callable that measures all splits at a step and gives metrics by name.

    The first split's metrics are ``eval_wer``, …; another's carry its name, as
    ``eval_test_wer``: the first decides which checkpoint is best.
    """
    from mynah.evaluation.decode import examples
    from mynah.evaluation.evaluate import evaluate

    def measure_splits(step: int) -> dict[str, float]:
        metrics: dict[str, float] = {}
        for position, (name, corpus) in enumerate(corpora.items()):
            found = evaluate(family, corpus, config, name=name)
            prefix = "eval_" if position == 0 else f"eval_{name}_"
            metrics |= {prefix + key: value for key, value in found.scores.summary().items()}
            if position == 0:
                for pair in examples(found.hypotheses, config.training.show_examples):
                    console.say(f"    reference:  {pair.reference}")
                    console.say(f"    hypothesis: {pair.text}")
        return metrics

    return measure_splits


def measure(config: Config, family: Family, corpora: Mapping[str, Corpus]) -> dict[str, Evaluation]:
    """The final, full measurement of every evaluation split."""
    from mynah.evaluation.evaluate import evaluate

    return {name: evaluate(family, corpus, config, name=name) for name, corpus in corpora.items()}


def announce_model(working_directory: Path, output: Path) -> None:
    """Point ``outputs/model`` to this run's model, now that it holds a checkpoint."""
    outputs = working_directory / "outputs"
    if runs_directory.link_newest_model(outputs, output):
        console.say(f"outputs/model -> {display_path(output, working_directory)}")


def write_account(directory: Path, data: PreparedData) -> None:
    """Write ``data.json`` and what belongs to it; of several processes the first does."""
    if distributed.rank() == 0:
        data.write(directory)


def _displayed(report: Path | None, working_directory: Path) -> str:
    return "none" if report is None else display_path(report, working_directory)
