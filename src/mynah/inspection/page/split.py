"""The page's plots and tables of one split."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mynah.inspection.breakdown import BreakdownGroup
from mynah.inspection.figures import FIGURES
from mynah.inspection.inspect import SplitInspection
from mynah.inspection.suspicions import by_row
from mynah.pages import axes
from mynah.pages.bars import bars
from mynah.pages.markup import Markup, join, tag
from mynah.pages.scatter import Point, scatter
from mynah.pages.tables import Cell, Heading, sortable

_POINTS = 2000  # of the point cloud
_NAMED = 200
_GROUPS = 300
_LEFT_OUT = 300


def plots_section(split: SplitInspection) -> Markup:
    """Histograms, and transcript length over duration."""
    drawn = []
    for figure in FIGURES:
        binned = split.histograms.get(figure.key)
        if binned is None:
            continue
        what = "recordings" if figure.key.endswith(("_db", "share", "_hz")) else "utterances"
        picture = bars(
            binned.counts,
            low=binned.low * figure.scale,
            width=binned.width * figure.scale,
            beyond=binned.beyond,
            median=binned.median * figure.scale,
            x_label=figure.axis,
            what=what,
            description=f"{figure.title} of {split.name}: {figure.axis}, median "
            f"{axes.show_number(float(f'{binned.median * figure.scale:.4g}'))}",
        )
        note = tag("p", figure.note, class_="quiet") if figure.note else None
        drawn.append(tag("div", tag("h4", figure.title), picture, note))
    cloud = _cloud(split)
    if cloud is not None:
        drawn.insert(1, cloud)
    return tag("div", drawn, class_="columns three")


def _cloud(split: SplitInspection) -> Markup | None:
    """Characters over seconds, rows whose transcript does not fit their audio by name."""
    rows = split.rows
    there = np.flatnonzero((rows.durations > 0) & (rows.texts.characters > 0))
    sampled = np.random.default_rng(0).permutation(there)[:_POINTS]
    misfit = [s for s in split.suspicions if s.kind.key in ("text_too_long", "text_too_short")]
    named = list(by_row(misfit))[:_NAMED]
    points = [
        Point(float(rows.durations[row]), float(rows.texts.characters[row]))
        for row in np.setdiff1d(sampled, named).tolist()
    ] + [
        Point(float(rows.durations[row]), float(rows.texts.characters[row]), split.corpus.ids[row])
        for row in named
    ]
    picture = scatter(
        points,
        x_label="seconds",
        y_label="characters",
        description=f"Characters of the transcript over seconds of audio in {split.name}",
    )
    if picture is None:
        return None
    note = "Coloured: the transcript does not fit the audio."
    if len(there) > len(sampled):
        note += f" {len(sampled):,} of {len(there):,} shown."
    return tag("div", tag("h4", "Transcript over audio"), picture, tag("p", note, class_="quiet"))


def left_out_section(split: SplitInspection, record: str) -> Markup | None:
    """What preparation left out, and why; None where that is nothing."""
    dropped = split.account.get("dropped", {})
    if not dropped:
        return None
    rows = list(split.account.get("dropped_rows", []))
    counts = sorted(dropped.items(), key=lambda item: -item[1])
    listed = [[row["reason"], row["id"], row.get("detail", "")] for row in rows[:_LEFT_OUT]]
    headings = [
        Heading("reason", text=True),
        Heading("id", text=True),
        Heading("detail", text=True),
    ]
    more = len(rows) - len(listed)
    return join(
        [
            tag(
                "p",
                f"{sum(dropped.values()):,} rows: "
                + ", ".join(f"{count:,} {reason}" for reason, count in counts)
                + ".",
            ),
            sortable(headings, listed, label=f"left out of {split.name}", searched=True)
            if listed
            else None,
            tag("p", f"{more:,} more are in {record}.", class_="quiet") if more > 0 else None,
        ]
    )


def split_groups_section(split: SplitInspection) -> list[tuple[str, Markup]]:
    """(title, table) by source, language, channel and speaker, where there is more than one."""
    made = []
    for what in ("source", "language", "channel", "speaker"):
        groups = split.groups[what]
        if len(groups) > 1:
            made.append((f"By {what}", _groups(what, groups, split.name)))
    return made


def _groups(what: str, groups: Sequence[BreakdownGroup], name: str) -> Markup:
    total = sum(group.hours for group in groups) or 1.0
    most = max(group.hours for group in groups) or 1.0
    with_speakers = what != "speaker"
    headings = [
        Heading(what, text=True),
        Heading("hours"),
        Heading("share"),
        Heading("bar"),
        Heading("utterances"),
        Heading("words"),
        Heading("chars/s", title="median of characters a second"),
    ]
    if with_speakers:
        headings.insert(5, Heading("speakers"))
    rows = []
    for group in groups[:_GROUPS]:
        rate = group.median_characters_a_second
        row = [
            group.name or tag("span", "(unknown)", class_="quiet"),
            Cell(f"{group.hours:,.2f}", round(group.hours, 6)),
            Cell(f"{group.hours / total:.1%}", round(group.hours / total, 6)),
            Cell(_share(group.hours / most), round(group.hours, 6)),
            Cell(f"{group.utterances:,}", group.utterances),
            Cell(f"{group.words:,}", group.words),
            Cell("–" if math.isnan(rate) else f"{rate:.1f}", "" if math.isnan(rate) else rate),
        ]
        if with_speakers:
            row.insert(5, Cell(f"{group.speakers:,}", group.speakers))
        rows.append(row)
    table = sortable(headings, rows, label=f"{name} by {what}", searched=len(rows) > 15)
    if len(groups) <= _GROUPS:
        return table
    return join([table, tag("p", f"The largest {_GROUPS} of {len(groups):,}.", class_="quiet")])


def _share(part: float) -> Markup:
    return tag(
        "svg",
        tag("rect", class_="bar", x=0, y=0, width=round(100 * part, 2), height=6, rx=1),
        class_="share",
        viewBox="0 0 100 6",
        preserveAspectRatio="none",
        aria_hidden="true",
    )
