"""The rates of groups on a terminal, in short: the groups that are furthest from the rest."""

from __future__ import annotations

from collections.abc import Sequence

from mynah import console
from mynah.evaluation.groups.rates import AllGroups, GroupedRates, GroupRate
from mynah.evaluation.intervals.groups import GroupValue
from mynah.evaluation.intervals.interval import says_something
from mynah.evaluation.metrics.metric import Metric

_WAYS = 8
_NAMED = 5  # groups of a way up to which all are shown


def show_groups(found: AllGroups, *, every: bool = False) -> None:
    """Print the rates by each way, small groups marked.

    Args:
        found: The groups.
        every: Whether all ways and groups are shown; else the worst and the best of a way that
            has many.
    """
    if not found.ways:
        return
    metric = found.metrics[0]
    rows = [
        row
        for way in (found.ways if every else found.ways[:_WAYS])
        for row in _rows(way, metric, every)
    ]
    console.table(
        "Where the errors are, with 95 % intervals; * says little: few words or speakers",
        ["by", "group", metric.column, "words"],
        rows,
    )
    more = len(found.ways) - _WAYS
    if more > 0 and not every:
        console.say(f"By {more} more on the page and in results.json.")
    if found.not_groups:
        console.say(
            f"Not divided by {', '.join(found.not_groups)}: nearly every utterance has its own."
        )


def _rows(way: GroupedRates, metric: Metric, every: bool) -> list[list[str]]:
    shown: Sequence[GroupRate | None] = way.groups
    if len(way.groups) > _NAMED and not way.ranges and not every:
        known = [one for one in way.groups if not one.small] or way.groups
        shown = [*known[:2], None, *known[-1:]] if len(known) > 3 else known
    rows = []
    for number, one in enumerate(shown):
        title = way.title if number == 0 else ""
        if one is None:
            rows.append([title, f"… {len(way.groups) - 3} more", "", ""])
        else:
            name = f"{one.name} *" if one.small else one.name
            rows.append([title, name, shown_value(one.first, metric), f"{one.words:,}"])
    return rows


def shown_value(one: GroupValue, metric: Metric) -> str:
    """``7.41 [6.02, 8.93]``, the value alone where it has no interval."""
    if not says_something(one.low, one.high):
        return metric.number(one.value)
    digits = 1 if metric.percent and one.high >= 0.1 else metric.digits
    value, low, high = (metric.number(end, digits) for end in (one.value, one.low, one.high))
    return f"{value} [{low}, {high}]"
