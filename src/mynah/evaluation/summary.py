"""What the console shows of an evaluation: the table of its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mynah import console
from mynah.evaluation.intervals.interval import (
    FEWEST_SPEAKERS,
    FEWEST_UTTERANCES,
    says_something,
)

if TYPE_CHECKING:
    from mynah.evaluation.evaluate import Evaluation
    from mynah.evaluation.score import Measure, Scores


def console_summary(evaluations: Mapping[str, Evaluation]) -> None:
    """Print the table of metrics that ends a run, one row a split, and what its intervals are."""
    metrics = {
        name: measure.metric
        for found in evaluations.values()
        for name, measure in found.scores.measures.items()
    }
    rows = []
    for split, evaluation in evaluations.items():
        s = evaluation.scores
        cells = [with_interval(s[name]) if name in s.measures else "–" for name in metrics]
        edits = f"{s.edits.substitutions}/{s.edits.deletions}/{s.edits.insertions}"
        rows.append([split, f"{s.utterances:,}", *cells, edits])
    normalizers = sorted({e.scores.normalizer for e in evaluations.values()})
    what = "Error rates" if all(metric.percent for metric in metrics.values()) else "Scores"
    console.table(
        f"{what} with 95 % intervals, text normaliser {', '.join(normalizers)}",
        ["split", "utts", *(metric.column for metric in metrics.values()), "S/D/I"],
        rows,
    )
    for split, evaluation in evaluations.items():
        if evaluation.n_best is not None:
            evaluation.n_best.say(split)
    notes: dict[str, list[str]] = {}
    for split, evaluation in evaluations.items():
        notes.setdefault(interval_note(evaluation.scores), []).append(split)
    for note, splits in notes.items():
        console.say(note if len(notes) == 1 else f"{', '.join(splits)}: {note}")


def with_interval(measure: Measure) -> str:
    """``7.41 [6.02, 8.93]``, the value alone where it has no interval.

    From ten per cent up one digit after the point: more would fit neither the table nor the
    interval's own precision.
    """
    metric, interval = measure.metric, measure.interval
    if not interval.exists:
        return metric.number(measure.value)
    if not interval.informative:
        return f"{metric.number(measure.value)} [{interval.groups} speakers]"
    if not says_something(interval.low, interval.high):
        return metric.number(measure.value)
    digits = 1 if metric.percent and interval.high >= 0.1 else metric.digits
    low, high = (metric.number(end, digits) for end in (interval.low, interval.high))
    return f"{metric.number(measure.value, digits)} [{low}, {high}]"


def interval_note(scores: Scores) -> str:
    """What the intervals of a split are over, and what that means, in a sentence or two."""
    interval = next((one.interval for one in scores.shown if one.interval.exists), None)
    if interval is None:
        return "No intervals: none were asked for, or there is a single utterance."
    if not interval.informative:
        return (
            f"Intervals over {interval.groups} speakers are not informative: at least "
            f"{FEWEST_SPEAKERS} speakers are needed."
        )
    few = ""
    if scores.utterances < FEWEST_UTTERANCES:
        few = f" Of fewer than {FEWEST_UTTERANCES} utterances they say little."
    if scores.shown[0].by_speaker is not None:
        return f"Intervals: {interval.method}.{few}"
    why = "one speaker" if scores.speakers == 1 else "no speaker is known"
    return (
        f"Intervals: {interval.method} ({why}): they do not say what other speakers would give."
        f"{few}"
    )
