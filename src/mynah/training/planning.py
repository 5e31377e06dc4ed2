"""What a training is about to do: its rows, its batches, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah import neighbours
from mynah.checkpoints.clip_lengths import ClipLengths
from mynah.data.preparation.training_rows import save_account
from mynah.machine import describe_device, release_memory
from mynah.runs.directory import write_settings
from mynah.runs.summary import Outlook, summarize
from mynah.training.arguments import steps_total
from mynah.training.packing import pack_sequences
from mynah.training.resuming.resume import measured_by
from mynah.training.settled import with_steps
from mynah.training.sizing.batch_size import batch_plan, with_batch_size
from mynah.training.sizing.estimate import estimate
from mynah.training.sizing.feasible import without_impossible

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.batches import BatchPlan
    from mynah.data.preparation.training_rows import PreparedRows
    from mynah.data.utterances import Utterances
    from mynah.models.family import Family


@dataclass(frozen=True)
class PlannedBatches:
    """Which rows are learned from, in which batches.

    Attributes:
        config: The settings, with the batch sizes that were found.
        judged: The rows less those that the model cannot learn; of a stream its first.
        plan: Their batches.
        clips: How long they are; None where nobody knows.
        measured_by: What the scores depend on besides the model, by name.
    """

    config: Config
    judged: Utterances
    plan: BatchPlan
    clips: ClipLengths | None
    measured_by: Mapping[str, Any]


def planned_batches(
    config: Config, family: Family, rows: PreparedRows, run: Path, resume: Path | None
) -> PlannedBatches:
    """Which rows can be learned, in which batches, and what that costs: said before it is spent.

    Args:
        config: The settings.
        family: The model.
        rows: What there is to learn from.
        run: The run's directory.
        resume: The checkpoint that the training resumes from.

    Raises:
        UserError: No batch fits, or rows cannot be learned and ``data.on_impossible`` is ``fail``.
    """
    pack_sequences(family, config)
    # Of a stream the first rows stand for all: what is checked and estimated is of them.
    first = rows.training.head(seed=config.training.seed)
    family.check_languages(first.distinct_languages)
    for split in rows.data.measured.values():
        family.check_decoded_languages(split.distinct_languages)
    judged = without_impossible(first, family, config.data, report=rows.data.report)
    first.release()
    release_memory()
    save_account(run, rows.data)
    settings = with_batch_size(config, family, judged, resume=resume)
    hours = float(judged.durations.sum()) / 3600
    clips = ClipLengths.of(judged.durations)
    judged.release()
    release_memory()
    plan = batch_plan(judged, settings)
    release_memory()
    settings = with_steps(settings, plan, hours)
    write_settings(run, settings)
    cost = estimate(family, judged, plan, settings, directory=run)
    release_memory()
    summarize(
        Outlook(
            model=family.name,
            parameters=family.parameter_table(),
            training=judged,
            hours=hours,
            streamed=settings.data.streaming,
            evaluation=rows.data.evaluation,
            tests=rows.data.tests,
            steps=steps_total(plan, settings),
            batches_per_epoch=plan.batches_per_epoch,
            padding=plan.padding_fraction(0),
            device=describe_device(family.model) + neighbours.how_threads_wait(),
            seconds_per_step=cost.seconds_per_step,
            peak_bytes=cost.peak_bytes,
        )
    )
    by = measured_by(settings, rows.data.evaluation)
    return PlannedBatches(settings, judged, plan, clips, by)
