"""All runs as a page: a table that is sorted by a click and searched."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from mynah.config.values import typed
from mynah.pages.document import Section, document
from mynah.pages.markup import Markup, join, tag
from mynah.pages.tables import Cell, Heading, sortable
from mynah.runs.listing import ListedRun
from mynah.runs.rates import Change, Rate

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
    changes: Mapping[tuple[Path, str], Change] | None = None,
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
    changes: Mapping[tuple[Path, str], Change] | None,
) -> Markup:
    headings = [
        Heading("run", text=True),
        Heading("status", text=True),
        Heading("started"),
        Heading("minutes"),
        Heading("tags", text=True),
        Heading("data", text=True),
        Heading("model", text=True),
        Heading("split", text=True),
        Heading("metric", text=True),
        Heading("value"),
        Heading("95 % interval"),
        Heading("base", title=_BASE),
        *([Heading("change", title=_CHANGE)] if changes is not None else []),
        *(Heading(name, text=True) for name in names),
        Heading("note", text=True),
    ]
    rows: list[list[Cell | str]] = []
    for run in runs:
        rates: Sequence[Rate | None] = run.rates or [None]
        rows += [_row(run, rate, names, folder, changes) for rate in rates]
    label = f"Runs in {folder}"
    note = "A line a run and split; a click on a heading sorts."
    return join(
        [tag("p", note, class_="quiet"), sortable(headings, rows, label=label, searched=True)]
    )


def _row(
    run: ListedRun,
    rate: Rate | None,
    names: Sequence[str],
    folder: Path,
    changes: Mapping[tuple[Path, str], Change] | None,
) -> list[Cell | str]:
    started = "" if run.started is None else f"{run.started:%Y-%m-%d %H:%M}"
    minutes = Cell("–", "") if math.isnan(run.minutes) else Cell(f"{run.minutes:.1f}", run.minutes)
    cells: list[Cell | str] = [
        run.name(folder),
        run.status,
        started,
        minutes,
        ", ".join(run.notes.tags),
        run.data,
        run.model,
    ]
    if rate is None:
        cells += ["–", "–", Cell("–", ""), "–", Cell("–", "")]
        cells += [Cell("–", "")] if changes is not None else []
    else:
        base = Cell(rate.base_shown, "" if math.isnan(rate.base) else rate.base)
        cells += [
            rate.split,
            rate.label,
            Cell(rate.number(rate.value), rate.value),
            rate.ends,
            base,
        ]
        if changes is not None:
            change = changes.get((run.directory, rate.split))
            none = Cell("–", "")
            cells.append(none if change is None else Cell(rate.changed(change), change.value))
    settings = [typed(run.settings.get(name)) if run.settings else "–" for name in names]
    return [*cells, *settings, run.notes.note]
