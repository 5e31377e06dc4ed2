"""Tables that can be sorted by a click and searched, and read as well without a script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from mynah.pages.markup import Markup, join, tag


class Cell(NamedTuple):
    """What a cell shows, and what it is sorted by where that is something else."""

    shown: Any
    value: float | str | None = None


class Heading(NamedTuple):
    """A column: its name, whether it holds text (left-aligned), and what it means."""

    name: str
    text: bool = False
    title: str | None = None


def sortable(
    headings: Sequence[Heading],
    rows: Sequence[Sequence[Any]],
    *,
    label: str,
    searched: bool = False,
) -> Markup:
    """A table whose first column names its rows.

    Args:
        headings: Its columns.
        rows: :class:`Cell` or what a cell shows.
        label: What the table is, for who cannot see it.
        searched: Whether there is a field that searches its rows.
    """
    body = [tag("tr", [_cell(*pair) for pair in zip(headings, row, strict=True)]) for row in rows]
    table = tag(
        "table",
        tag("thead", tag("tr", [_heading(heading) for heading in headings])),
        tag("tbody", body),
        class_="sortable",
    )
    field = tag(
        "label",
        tag("span", f"Search: {label}", class_="hidden"),
        tag("input", type="search", placeholder="search", autocomplete="off"),
        class_="search",
        hidden=True,
    )
    scroll = tag("div", table, class_="scroll", tabindex="0", role="region", aria_label=label)
    return tag("div", join([field if searched else None, scroll]), class_="searched")


def _heading(heading: Heading) -> Markup:
    name = tag("abbr", heading.name, title=heading.title) if heading.title else heading.name
    return tag("th", name, scope="col", class_="text" if heading.text else None)


def _cell(heading: Heading, cell: Any) -> Markup:
    shown, value = cell if isinstance(cell, Cell) else (cell, None)
    return tag(
        "td",
        shown,
        class_="text" if heading.text else None,
        data_value=value,
        dir="auto" if heading.text else None,
    )


def plain(heads: Sequence[Markup], rows: Sequence[Markup], *, label: str) -> Markup:
    """A table as it is, in a region that scrolls.

    Args:
        heads: Its ``th``.
        rows: Its ``tr``.
        label: What it is, for who cannot see it.
    """
    table = tag("table", tag("thead", tag("tr", heads)), tag("tbody", rows))
    return tag("div", table, class_="scroll", tabindex="0", role="region", aria_label=label)
