"""The report of a run: what its measurements came to, on the screen and in ``evaluation/``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah import console, distributed
from mynah.config.effective import effective_yaml
from mynah.data.preparation.account import annotation_notes
from mynah.data.preparation.leaks import describe_leaks
from mynah.evaluation import report
from mynah.evaluation.baseline.table import say_changes, ways_back
from mynah.evaluation.findings.findings import Findings, findings
from mynah.evaluation.findings.shown import show_findings
from mynah.evaluation.findings.training_words import (
    MOST_NORMALIZED,
    TrainingWords,
    words_in_context,
    words_of,
    words_trained_on,
    write_words,
)
from mynah.evaluation.groups.signals import with_signals
from mynah.evaluation.normalize import Normalizer, get_normalizer
from mynah.evaluation.terms.counts import read_terms
from mynah.machine import versions

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.corpus import Corpus
    from mynah.data.preparation.prepare import PreparedData
    from mynah.evaluation.baseline.change import Changes
    from mynah.evaluation.evaluate import Evaluation


def measured_on(data: PreparedData) -> list[str]:
    """What is measured on, a line a split: its name, its corpus, where that lies, how much."""
    corpus, place = data.report["corpus"], data.report["identity"]
    lines = []
    for name, split in data.measured.items():
        of = corpus
        if isinstance(place, dict):  # a mixture's splits are called CORPUS.SPLIT
            of = max((member for member in place if name.startswith(f"{member}.")), key=len)
        at = place[of] if isinstance(place, dict) else place
        lies = f" ({at})" if at != of else ""
        lines.append(f"{name} of {of}{lies}: {len(split):,} utterances, {split.hours:.2f} h")
    return lines


def shared_with_training(data: PreparedData) -> str | None:
    """What the splits share with training, in a sentence; None: nothing, or nothing was trained."""
    found = data.report.get("leaks") or {}
    phrases = [phrase for name, leak in found.items() for phrase in describe_leaks(name, leak)]
    if not phrases:
        return None
    return f"Shared with training, and so easier than what is new: {'; '.join(phrases)}."


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
    changed: Changes | None = None,
) -> Path | None:
    """Print the error rates and write ``evaluation/``; None where nothing was measured, and on
    all processes but the first."""
    if not evaluations or distributed.rank() > 0:
        return None
    evaluations = {
        name: with_signals(one, data.measured[name], data.cache)
        for name, one in evaluations.items()
    }
    found = findings_of(config, directory, evaluations, data, checkpoint)
    report.console_summary(evaluations)
    show_findings(found)
    if changed is not None:
        say_changes(changed, ways_back(config, checkpoint))
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
        "measured_once": list(data.tests),
        "shared": shared_with_training(data),
        "annotations": [
            note
            for name, account in data.report["splits"].items()
            for note in annotation_notes(name, account)
        ],
        "versions": versions(),
    }
    return report.write_evaluation(
        directory / "evaluation",
        evaluations,
        history=history,
        about=about,
        corpora=data.measured,
        worst=config.evaluation.report_utterances,
        changed=changed,
        found=found,
    )


def findings_of(
    config: Config,
    directory: Path,
    evaluations: Mapping[str, Evaluation],
    data: PreparedData,
    checkpoint: Path | None,
) -> dict[str, Findings]:
    """What is found in each split beside its rates. The words of a training's transcripts are
    kept beside its results, for evaluations of its checkpoints."""
    normalize = get_normalizer(config.evaluation.normalizer)
    if data.train is None:
        trained_on = words_trained_on(checkpoint, normalize)
    else:
        trained_on = _training_words(data.train, normalize)
        write_words(directory / "evaluation", trained_on)
    found = {}
    for name, one in evaluations.items():
        terms = None
        if config.evaluation.terms is not None:
            file = Path(config.evaluation.terms)
            languages = {each.language for each in one.hypotheses}
            terms = read_terms(file, normalize.name, one.scores.unit, languages)
        found[name] = findings(one.hypotheses, one.scores, trained_on=trained_on, terms=terms)
    return found


def _training_words(train: Corpus, normalize: Normalizer) -> TrainingWords:
    """The words of a training's transcripts, as the normaliser needs them; of very many
    transcripts those that it takes one by one alone, since normalising all takes too long."""
    words = words_of(train.arrays("text"))
    if not normalize.in_context or len(train) > MOST_NORMALIZED:
        return TrainingWords(words)
    found = words_in_context(train.arrays("text"), normalize, len(train))
    return TrainingWords(words, {normalize.identity: found})


def selection_note(
    config: Config,
    history: Sequence[Mapping[str, Any]],
    evaluations: Mapping[str, Evaluation],
    averaged: str | None,
) -> str | None:
    """What to know of a rate that was measured on the split that chose the checkpoint; None where
    none was chosen, since there was one measurement.

    Args:
        config: The settings.
        history: The training's log.
        evaluations: The final measurements, the split that chose first.
        averaged: What an average of checkpoints came to on that split, in a sentence.
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
    if averaged is not None:
        note = f"{note} {averaged}"
    if others:
        return f"{note} {', '.join(others)} chose nothing."
    return f"{note} One that chooses nothing would not: name it in data.test_splits."
