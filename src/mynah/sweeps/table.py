"""The table that ends a sweep: on the screen and as CSV, best first, seeds grouped."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mynah import console
from mynah.files import write_text
from mynah.sweeps.jobs import LOG, Outcome, SweepJob, short_label
from mynah.sweeps.processes import clock_time, how_it_ended
from mynah.sweeps.scores import MetricName


@dataclass(frozen=True)
class TableRow:
    """A job with what became of it."""

    job: SweepJob
    outcome: Outcome


@dataclass(frozen=True)
class SeedGroup:
    """Jobs that differ in ``training.seed`` alone.

    Attributes:
        label: The settings they share among what is swept.
        rows: The jobs, best first.
        mean: Mean of the metric over those that have one; NaN where none has.
        spread: Standard deviation over the seeds (n - 1); NaN for fewer than two.
    """

    label: str
    rows: tuple[TableRow, ...]
    mean: float
    spread: float


def jobs_best_first(jobs: Sequence[SweepJob], outcomes: Mapping[int, Outcome]) -> list[TableRow]:
    """All jobs: the measured ones from the best on, then those without a value as in the grid."""
    rows = [TableRow(job, outcomes.get(job.number, Outcome("not run"))) for job in jobs]

    metric = common_metric(rows)

    def order(row: TableRow) -> tuple[bool, float, bool, int]:
        score = row.outcome.score
        comparable = score is not None and score.metric == metric and not math.isnan(score.value)
        return (
            row.outcome.status == "pruned",  # measured too early to be compared with the others
            score.loss if comparable and score is not None else math.inf,
            not row.outcome.well,
            row.job.number,
        )

    return sorted(rows, key=order)


def common_metric(rows: Sequence[TableRow]) -> MetricName | None:
    """The metric that most jobs are measured with, and all are compared by; None: of none."""
    counts = Counter(row.outcome.score.metric for row in rows if row.outcome.score is not None)
    return counts.most_common(1)[0][0] if counts else None


def other_metrics(rows: Sequence[TableRow]) -> list[MetricName]:
    """What else the jobs of a search with several objectives are measured by."""
    return list(dict.fromkeys(score.metric for row in rows for score in row.outcome.others))


def other_value(outcome: Outcome, metric: MetricName) -> float | None:
    """What a job came to in one of them, where it was measured."""
    found = (score.value for score in outcome.others if score.metric == metric)
    return next(found, None)


def table_values(rows: Sequence[TableRow], metric: MetricName | None) -> list[float]:
    """The values of one metric, of the jobs that have one."""
    scores = [row.outcome.score for row in rows if row.outcome.status != "pruned"]
    return [
        score.value
        for score in scores
        if score is not None and score.metric == metric and not math.isnan(score.value)
    ]


def group_seeds(rows: Sequence[TableRow]) -> list[SeedGroup]:
    """Jobs grouped over seeds, the group with the best mean first."""
    members: dict[tuple[tuple[str, str], ...], list[TableRow]] = {}
    for row in rows:
        members.setdefault(tuple(sorted(row.job.without_seed.items())), []).append(row)
    groups = []
    metric = common_metric(rows)
    for found in members.values():
        rates = table_values(found, metric)
        groups.append(
            SeedGroup(
                label=short_label(found[0].job.without_seed) or "all the same settings",
                rows=tuple(found),
                mean=statistics.fmean(rates) if rates else math.nan,
                spread=statistics.stdev(rates) if len(rates) > 1 else math.nan,
            )
        )
    sign = -1.0 if metric is not None and metric.greater_is_better else 1.0
    return sorted(groups, key=lambda group: (math.isnan(group.mean), sign * group.mean))


def has_seeds(groups: Sequence[SeedGroup]) -> bool:
    """Whether any settings were run with more than one seed."""
    return any(len(group.rows) > 1 for group in groups)


def print_tables(rows: Sequence[TableRow]) -> None:
    """Print the jobs, and where several seeds ran, the settings with mean and spread."""
    metric = common_metric(rows)
    label = metric.label if metric is not None else "score"
    others = other_metrics(rows)
    console.table(
        "Jobs, best first",
        ["job", label, "95 % interval", *(one.label for one in others), "time", "status"],
        [
            [
                row.job.label,
                _value(row.outcome, metric),
                row.outcome.score.interval if row.outcome.score is not None else "-",
                *(one.shown(other_value(row.outcome, one)) for one in others),
                clock_time(row.outcome.seconds),
                _status(row.outcome),
            ]
            for row in rows
        ],
    )
    groups = group_seeds(rows)
    if has_seeds(groups):
        console.table(
            "Settings over their seeds, best mean first",
            ["settings", "seeds", f"mean {label}", "spread (std)", "best", "worst"],
            [_group_cells(group, metric) for group in groups],
        )


def write_csv(path: Path, rows: Sequence[TableRow]) -> None:
    """Write one line a job, best first; shares as fractions, times in seconds, intervals over
    utterances as in ``results.json``."""
    keys = list(dict.fromkeys(key for row in rows for key in row.job.swept))
    by_number = {row.job.number: group for group in group_seeds(rows) for row in group.rows}
    metric = common_metric(rows)
    name = metric.name if metric is not None else "score"
    others = other_metrics(rows)
    content = io.StringIO(newline="")
    writer = csv.writer(content)
    writer.writerow(
        ["job", *keys, name, f"{name}_low", f"{name}_high", *(one.name for one in others),
         "seconds", "status", "exit_status", "seeds", f"mean_{name}_over_seeds",
         f"std_{name}_over_seeds", "directory", "log"]
    )  # fmt: skip
    for row in rows:
        outcome, group = row.outcome, by_number[row.job.number]
        score = outcome.score
        comparable = score is not None and score.metric == metric
        numbers = (score.value, *score.over_utterances) if score and comparable else (None,) * 3
        writer.writerow(
            [
                row.job.number,
                *(row.job.swept.get(key, "") for key in keys),
                *(_number(value) for value in numbers),
                *(_number(other_value(outcome, one)) for one in others),
                f"{outcome.seconds:.1f}",
                outcome.status,
                "" if outcome.exit_status is None else outcome.exit_status,
                len(group.rows),
                _number(group.mean),
                _number(group.spread),
                row.job.directory,
                row.job.directory / LOG,
            ]
        )
    write_text(path, content.getvalue())


def _value(outcome: Outcome, metric: MetricName | None) -> str:
    """A job's value, with its metric's name where that is not the one of the table."""
    if outcome.score is None:
        return "-"
    other = outcome.score.metric != metric
    return (f"{outcome.score.metric.label} " if other else "") + outcome.score.shown


def _status(outcome: Outcome) -> str:
    if outcome.pruned_at is not None:
        return f"pruned at step {outcome.pruned_at:,}"
    if outcome.status in ("failed", "killed") and outcome.exit_status is not None:
        return f"{outcome.status} ({how_it_ended(outcome.exit_status).removeprefix('killed by ')})"
    return outcome.status


def _group_cells(group: SeedGroup, metric: MetricName | None) -> list[str]:
    found = sorted(
        table_values(group.rows, metric), reverse=bool(metric and metric.greater_is_better)
    )
    seeds = f"{len(found)}" if len(found) == len(group.rows) else f"{len(found)}/{len(group.rows)}"
    if metric is None or not found:
        return [group.label, seeds, "-", "-", "-", "-"]
    numbers = (group.mean, group.spread, found[0], found[-1])
    return [group.label, seeds, *(metric.shown(number) for number in numbers)]


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.6g}"
