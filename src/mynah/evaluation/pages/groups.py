"""The page's rates by anything: a table a way, small groups marked."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mynah.evaluation.groups.rates import AllGroups, GroupedRates, GroupRate
from mynah.evaluation.intervals.interval import says_something
from mynah.evaluation.metrics.metric import Metric
from mynah.pages import plots
from mynah.pages.markup import Markup, join, tag
from mynah.pages.tables import Cell, Heading, sortable

_LISTED = 200  # groups of a way on the page; all are in results.json
_SEARCHED = 20  # groups from which a table can be searched


def groups_section(found: AllGroups, *, of: str = "") -> Markup | None:
    """Rates by each way; None where there is none.

    Args:
        found: The groups.
        of: What they are groups of, for who cannot see it: a split's name.
    """
    if not found.ways:
        return None
    note = (
        "With 95 % intervals over the speakers of a group, or over its utterances where it has "
        "one; * marks a group of few words or speakers, whose rate says little by itself."
    )
    if found.not_groups:
        note += (
            f" Not divided by {', '.join(found.not_groups)}: nearly every utterance has its own."
        )
    tables = [_way(way, found.metrics, of) for way in found.ways]
    return join(
        [
            tag("h3", "By anything"),
            tag("p", note, class_="quiet"),
            tag("div", tables, class_="groups"),
        ]
    )


def _way(way: GroupedRates, metrics: Sequence[Metric], of: str) -> Markup:
    first, *others = metrics
    shown = way.groups[:_LISTED]
    ends = [v for one in shown for v in (one.first.value, one.first.high) if not math.isnan(v)]
    most = max(ends, default=1.0) or 1.0
    headings = [
        Heading(way.title, text=True),
        Heading(first.column, title=first.title),
        Heading("95 % interval"),
        Heading("drawn"),
        *(Heading(metric.column, title=metric.title) for metric in others),
        Heading("S", title="substitutions"),
        Heading("D", title="deletions"),
        Heading("I", title="insertions"),
        Heading("words"),
        Heading("utterances"),
        Heading("over", title="what the interval is over"),
    ]
    rows = [
        _row(number if way.ranges else None, one, metrics, most) for number, one in enumerate(shown)
    ]
    label = f"Error rates by {way.title}{of and f', {of}'}"
    more = len(way.groups) - len(shown)
    return join(
        [
            tag("h4", f"By {way.title}" + ("" if way.ranges else ", the worst first")),
            tag("p", f"The worst {len(shown):,} of {len(way.groups):,}.", class_="quiet")
            if more
            else None,
            sortable(headings, rows, label=label, searched=len(rows) > _SEARCHED),
        ]
    )


def _row(
    number: int | None, one: GroupRate, metrics: Sequence[Metric], most: float
) -> list[Cell | str]:
    first, *others = metrics
    value = one.first
    known = says_something(value.low, value.high)
    ends = f"{first.number(value.low)} to {first.number(value.high)}" if known else "–"
    drawn = plots.strip(value.value, value.low, value.high, most)
    return [
        # Ranges are sorted by their numbers, not by their letters; names by those.
        Cell(f"{one.name} *" if one.small else one.name, number),
        Cell(first.number(value.value), _sorted(value.value)),
        Cell(ends, _sorted(value.low)),
        Cell(drawn, _sorted(value.value)),
        *(_other(metric, one.values[metric.name].value) for metric in others),
        *(Cell(f"{count:,}", count) for count in one.edits[1:]),
        Cell(f"{one.words:,}", one.words),
        Cell(f"{one.utterances:,}", one.utterances),
        one.over,
    ]


def _other(metric: Metric, value: float) -> Cell:
    return Cell(metric.number(value), _sorted(value))


def _sorted(value: float) -> float | str:
    return "" if math.isnan(value) else value
