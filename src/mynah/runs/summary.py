"""What a run says of itself: before anything is spent, and what came of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah import console, distributed
from mynah.config.effective import effective_yaml
from mynah.config.schema import Config

if TYPE_CHECKING:
    from mynah.data.batches import BatchPlan
    from mynah.data.preparation.prepare import PreparedData
    from mynah.data.utterances import Utterances
    from mynah.evaluation.evaluate import Evaluation
    from mynah.models.family import Family


def summarize(
    config: Config,
    data: PreparedData,
    corpus: Utterances,
    family: Family,
    plan: BatchPlan,
    device: str,
    directory: Path,
) -> None:
    """Print what is about to be spent, before it is."""
    from mynah.training.arguments import steps_total
    from mynah.training.sizing.estimate import estimate

    cost = estimate(family, corpus, plan, config, directory=directory)
    steps = steps_total(plan, config)
    parameters = family.parameter_table()
    total = sum(row[1] for row in parameters)
    trainable = sum(row[2] for row in parameters)
    rows = [
        ["model", f"{family.name}: {total:,} parameters, {trainable:,} trained"],
        *([] if trainable == total else _parts(parameters)),
        ["training", f"{len(corpus):,} utterances, {corpus.durations.sum() / 3600:.2f} h"],
    ]
    batches = f"of {plan.batches_per_epoch:,} batches an epoch, "
    if config.data.streaming:
        rows[-1] = ["training", f"streamed; estimated on its first {len(corpus):,} utterances"]
        batches = "(training.max_steps), "
    rows += [
        [f"evaluation: {name}", f"{len(split):,} utterances, {split.durations.sum() / 3600:.2f} h"]
        for name, split in data.evaluation.items()
    ]
    rows += [
        [
            "steps",
            f"{steps:,} {batches}{plan.padding_fraction(0):.1%} padding",
        ],
        ["device", device],
        ["estimated time", f"{cost.seconds_per_step * steps / 60:.1f} minutes of training"],
        ["estimated memory", f"{cost.peak_bytes / 2**30:.1f} GiB"],
    ]
    console.table("This run", ["what", "how much"], rows)


def _parts(parameters: Sequence[tuple[str, int, int]]) -> list[list[str]]:
    """A row for each part of a model of which not all is trained."""
    return [
        [f"  {part}", f"{total:,} parameters, {f'{trained:,}' if trained else 'none'} trained"]
        for part, total, trained in parameters
    ]


def measured_on(data: PreparedData) -> list[str]:
    """What is measured on, a line a split: its name, its corpus, where that lies, how much."""
    corpus, place = data.report["corpus"], data.report["identity"]
    lines = []
    for name, split in data.evaluation.items():
        of = corpus
        if isinstance(place, dict):  # a mixture's splits are called CORPUS.SPLIT
            of = max((member for member in place if name.startswith(f"{member}.")), key=len)
        at = place[of] if isinstance(place, dict) else place
        lies = f" ({at})" if at != of else ""
        lines.append(f"{name} of {of}{lies}: {len(split):,} utterances, {split.hours:.2f} h")
    return lines


def write_report(
    config: Config,
    directory: Path,
    evaluations: dict[str, Evaluation],
    data: PreparedData,
    *,
    history: list[dict[str, Any]],
    checkpoint: Path | None,
    decoding: str,
    selection: str | None = None,
) -> Path | None:
    """Print the error rates and write ``evaluation/``; None where nothing was measured, and on
    all processes but the first."""
    if not evaluations or distributed.rank() > 0:
        return None
    from mynah.evaluation import report
    from mynah.machine import versions

    report.console_summary(evaluations)
    if selection is not None:
        console.say(selection)
    console.say(f"Decoding: {decoding}")
    about = {
        "checkpoint": str(checkpoint) if checkpoint else None,
        "config": effective_yaml(config),
        "data": data.report,
        "statement": (data.report.get("statement") or {}).get("text"),
        "selection": selection,
        "decoding": decoding,
        "measured_on": measured_on(data),
        "versions": versions(),
    }
    return report.write(
        directory / "evaluation",
        evaluations,
        history=history,
        about=about,
        corpora=data.evaluation,
        worst=config.evaluation.report_utterances,
    )


def selection_note(
    config: Config, history: Sequence[Mapping[str, Any]], evaluations: Mapping[str, Evaluation]
) -> str | None:
    """What to know of a rate that was measured on the split that chose the checkpoint; None where
    none was chosen, since there was one measurement.

    Args:
        config: The settings.
        history: The training's log.
        evaluations: The final measurements, the split that chose first.
    """
    if not config.training.load_best_model_at_end or not evaluations:
        return None
    first, *others = evaluations
    best = evaluations[first].scores.best
    measured = sum(f"eval_{best}" in entry for entry in history)
    if measured < 2:
        return None
    label = evaluations[first].scores[best].metric.label
    note = (
        f"{first} chose the checkpoint, the best in {label} of {measured} measurements: what is "
        "measured on it flatters the model a little."
    )
    if others:
        return f"{note} {', '.join(others)} chose nothing."
    return f"{note} A split that chooses nothing would not: data.eval_splits=[{first},test]."


def eval_command(checkpoint: str) -> str:
    """The command that measures a checkpoint, in the way this run was started."""
    if "HATCH_ENV_ACTIVE" in os.environ:
        return f"hatch run eval {checkpoint}"
    if Path(sys.argv[0]).suffix == ".py":
        return f"python src/train_hydra.py eval_checkpoint={checkpoint}"
    return f"mynah eval {checkpoint}"
