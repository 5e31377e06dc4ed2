"""The table that ends a sweep: on the screen and as CSV, best first, seeds grouped."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mynah import console
from mynah.files import write_text
from mynah.sweeps.jobs import LOG, Job, Outcome, short_label
from mynah.sweeps.processes import duration, how_it_ended


@dataclass(frozen=True)
class Row:
    """A job with what became of it."""

    job: Job
    outcome: Outcome


@dataclass(frozen=True)
class Group:
    """Jobs that differ in ``training.seed`` alone.

    Attributes:
        label: The settings they share among what is swept.
        rows: The jobs, best first.
        mean: Mean error rate of those that have one, a fraction; NaN where none has.
        spread: Standard deviation over the seeds (n - 1); NaN for fewer than two.
    """

    label: str
    rows: tuple[Row, ...]
    mean: float
    spread: float


def best_first(jobs: Sequence[Job], outcomes: Mapping[int, Outcome]) -> list[Row]:
    """All jobs: the measured ones by rising error rate, then those without one as in the grid."""
    rows = [Row(job, outcomes.get(job.number, Outcome("not run"))) for job in jobs]

    def order(row: Row) -> tuple[float, bool, int]:
        wer = row.outcome.wer
        measured = wer is not None and not math.isnan(wer)
        return (
            wer if measured and wer is not None else math.inf,
            not row.outcome.well,
            row.job.number,
        )

    return sorted(rows, key=order)


def group_seeds(rows: Sequence[Row]) -> list[Group]:
    """Jobs grouped over seeds, the group with the best mean first."""
    members: dict[tuple[tuple[str, str], ...], list[Row]] = {}
    for row in rows:
        members.setdefault(tuple(sorted(row.job.without_seed.items())), []).append(row)
    groups = []
    for found in members.values():
        rates = [row.outcome.wer for row in found if row.outcome.wer is not None]
        groups.append(
            Group(
                label=short_label(found[0].job.without_seed) or "all the same settings",
                rows=tuple(found),
                mean=statistics.fmean(rates) if rates else math.nan,
                spread=statistics.stdev(rates) if len(rates) > 1 else math.nan,
            )
        )
    return sorted(groups, key=lambda group: (math.isnan(group.mean), group.mean))


def has_seeds(groups: Sequence[Group]) -> bool:
    """Whether any settings were run with more than one seed."""
    return any(len(group.rows) > 1 for group in groups)


def print_tables(rows: Sequence[Row]) -> None:
    """Print the jobs, and where several seeds ran, the settings with mean and spread."""
    console.table(
        "Jobs, best first",
        ["job", "WER", "95 % interval", "time", "status"],
        [
            [
                row.job.label,
                percent(row.outcome.wer),
                interval(row.outcome),
                duration(row.outcome.seconds),
                _status(row.outcome),
            ]
            for row in rows
        ],
    )
    groups = group_seeds(rows)
    if has_seeds(groups):
        console.table(
            "Settings over their seeds, best mean first",
            ["settings", "seeds", "mean WER", "spread (std)", "best", "worst"],
            [_group_cells(group) for group in groups],
        )


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write one line a job, best first; error rates as fractions, times in seconds."""
    keys = list(dict.fromkeys(key for row in rows for key in row.job.swept))
    by_number = {row.job.number: group for group in group_seeds(rows) for row in group.rows}
    content = io.StringIO(newline="")
    writer = csv.writer(content)
    writer.writerow(
        ["job", *keys, "wer", "wer_low", "wer_high", "seconds", "status", "exit_status",
         "seeds", "mean_wer_over_seeds", "std_wer_over_seeds", "directory", "log"]
    )  # fmt: skip
    for row in rows:
        outcome, group = row.outcome, by_number[row.job.number]
        writer.writerow(
            [
                row.job.number,
                *(row.job.swept.get(key, "") for key in keys),
                *(_number(value) for value in (outcome.wer, outcome.wer_low, outcome.wer_high)),
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


def percent(rate: float | None) -> str:
    """``0.0741`` as ``7.41 %``."""
    return "-" if rate is None or math.isnan(rate) else f"{100 * rate:.2f} %"


def interval(outcome: Outcome) -> str:
    """The 95 % interval as ``6.02 – 8.93 %``."""
    low, high = outcome.wer_low, outcome.wer_high
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return "-"
    return f"{100 * low:.2f} – {100 * high:.2f} %"


def _status(outcome: Outcome) -> str:
    if outcome.status in ("failed", "killed") and outcome.exit_status is not None:
        return f"{outcome.status} ({how_it_ended(outcome.exit_status).removeprefix('killed by ')})"
    return outcome.status


def _group_cells(group: Group) -> list[str]:
    rates = [row.outcome.wer for row in group.rows if row.outcome.wer is not None]
    seeds = f"{len(rates)}" if len(rates) == len(group.rows) else f"{len(rates)}/{len(group.rows)}"
    return [
        group.label,
        seeds,
        percent(group.mean),
        percent(group.spread),
        percent(min(rates, default=None)),
        percent(max(rates, default=None)),
    ]


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.6g}"
