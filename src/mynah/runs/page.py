"""All runs as a page: a table that is sorted by a click and searched."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mynah.config.values import typed
from mynah.pages.document import Section, document
from mynah.pages.markup import Markup, join, tag
from mynah.pages.tables import Cell, Heading, sortable
from mynah.runs.listing import ListedRun
from mynah.runs.rates import Rate, RateChange

_BASE = (
    "the same metric of the untuned base, and what tuning changed, paired, with its 95 % interval"
)
_CHANGE = "from the baseline run in points, paired by utterances, with its 95 % interval"


def runs_page(
    runs: Sequence[ListedRun],
    names: Sequence[str],
    *,
    folder: Path,
    command: str,
    changes: Mapping[tuple[Path, str], RateChange] | None = None,
) -> str:
    """The page as text.

    Args:
        runs: In their order.
        names: The settings that differ.
        folder: Where they lie.
        command: That made it.
        changes: What rates are more than those of another run, by directory and split; None:
            they were not compared with one.
    """
    about = tag("pre", tag("code", command), tabindex="0")
    return document(
        title=f"Mynah runs: {folder}",
        heading="Runs",
        created=datetime.now(UTC),
        about=[" · ", tag("code", str(folder))],
        sections=[
            Section("All runs", "runs", _table(runs, names, folder, changes)),
            Section("List them again", "about", about),
        ],
        style="",
        script="",
    )


def _table(
    runs: Sequence[ListedRun],
    names: Sequence[str],
    folder: Path,
    changes: Mapping[tuple[Path, str], RateChange] | None,
) -> Markup:
    """What one looks for first, then what the runs are; without columns that hold nothing."""
    shown = _Shown(
        changes,
        tags=any(run.notes.tags for run in runs),
        notes=any(run.notes.note for run in runs),
        based=any(not math.isnan(rate.base) for run in runs for rate in run.rates),
    )
    headings = [
        Heading("run", text=True),
        Heading("status", text=True),
        *([Heading("tags", text=True)] if shown.tags else []),
        Heading("split", text=True),
        Heading("metric", text=True),
        Heading("value"),
        Heading("95 % interval"),
        *([Heading("change", title=_CHANGE)] if changes is not None else []),
        *([Heading("base", title=_BASE)] if shown.based else []),
        Heading("minutes"),
        Heading("started"),
        Heading("data", text=True),
        Heading("model", text=True),
        *(Heading(name, text=True) for name in names),
        *([Heading("note", text=True)] if shown.notes else []),
    ]
    rows: list[list[Cell | str]] = []
    for run in runs:
        rates: Sequence[Rate | None] = run.rates or [None]
        rows += [_row(run, rate, names, folder, shown) for rate in rates]
    label = f"Runs in {folder}"
    note = "A line a run and split; a click on a heading sorts."
    return join(
        [tag("p", note, class_="quiet"), sortable(headings, rows, label=label, searched=True)]
    )


@dataclass(frozen=True)
class _Shown:
    """The columns that not every table has."""

    changes: Mapping[tuple[Path, str], RateChange] | None
    tags: bool
    notes: bool
    based: bool


def _row(
    run: ListedRun, rate: Rate | None, names: Sequence[str], folder: Path, shown: _Shown
) -> list[Cell | str]:
    started = "" if run.started is None else f"{run.started:%Y-%m-%d %H:%M}"
    minutes = Cell("–", "") if math.isnan(run.minutes) else Cell(f"{run.minutes:.1f}", run.minutes)
    tags: list[Cell | str] = [", ".join(run.notes.tags)] if shown.tags else []
    notes: list[Cell | str] = [run.notes.note] if shown.notes else []
    settings = [typed(run.settings.get(name)) if run.settings else "–" for name in names]
    return [
        run.name(folder), run.shown_status, *tags, *_measured(run, rate, shown), minutes, started,
        run.data, run.model, *settings, *notes,
    ]  # fmt: skip


def _measured(run: ListedRun, rate: Rate | None, shown: _Shown) -> list[Cell | str]:
    none = Cell("–", "")
    if rate is None:
        more = (shown.changes is not None) + shown.based
        return ["–", "–", none, "–", *(none for _ in range(more))]
    cells: list[Cell | str] = [
        rate.split,
        rate.label,
        Cell(rate.number(rate.value), rate.value),
        rate.ends,
    ]
    if shown.changes is not None:
        change = shown.changes.get((run.directory, rate.split))
        cells.append(none if change is None else Cell(rate.changed(change), change.value))
    if shown.based:
        cells.append(Cell(rate.base_shown, "" if math.isnan(rate.base) else rate.base))
    return cells
