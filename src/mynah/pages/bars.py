"""Histograms as inline SVG, in the axes of ``axes.py``."""

from __future__ import annotations

from collections.abc import Sequence

from mynah.pages import axes
from mynah.pages.markup import Markup, tag

_WIDTH, _HEIGHT = 400, 240
_GAP = 1.0  # between two bars, in the drawing's units


def bars(
    counts: Sequence[int],
    *,
    low: float,
    width: float,
    beyond: int,
    median: float,
    x_label: str,
    what: str,
    description: str,
) -> Markup:
    """A histogram with its median.

    Args:
        counts: In bins of equal width.
        low: Lower edge of the first bin.
        width: Of a bin.
        beyond: Values above the last edge, named and not drawn.
        median: Of all values, shown as a line.
        x_label: What is binned, with its unit.
        what: What is counted, as ``recordings``.
        description: For who cannot see it.
    """
    high = low + width * len(counts)
    frame = axes.Frame(low, high, float(max([*counts, 1])), width=_WIDTH, height=_HEIGHT)
    floor = frame.y(0.0)
    across = round(max(frame.x(high) - frame.x(low), 1.0) / len(counts) - _GAP, 2)
    drawn = [
        _bar(frame, low + width * at, low + width * (at + 1), across, count, what)
        for at, count in enumerate(counts)
        if count
    ]
    if low <= median <= high:
        drawn.append(
            tag(
                "line",
                tag("title", f"median {axes.show_number(_round(median))}"),
                class_="median",
                x1=frame.x(median),
                x2=frame.x(median),
                y1=axes.TOP,
                y2=floor,
            )
        )
    drawn_axes = frame.draw(
        x_label=x_label, y_label=what, show_x=axes.show_number, show_y=axes.show_number
    )
    told = [tag("span", "median ", tag("b", axes.show_number(_round(median))))]
    if beyond:
        told.append(tag("span", f"{beyond:,} above {axes.show_number(_round(high))}"))
    return tag(
        "figure",
        axes.picture([drawn_axes, drawn], description, width=_WIDTH, height=_HEIGHT),
        tag("figcaption", told),
        class_="plot",
    )


def _bar(
    frame: axes.Frame, low: float, high: float, across: float, count: int, what: str
) -> Markup:
    """One bin; ``across`` is its width on the page."""
    floor = frame.y(0.0)
    top = min(frame.y(count), floor - 1.5)
    edges = f"{axes.show_number(_round(low))} to {axes.show_number(_round(high))}"
    return tag(
        "rect",
        tag("title", f"{edges}: {count:,} {what}"),
        class_="bar",
        x=frame.x(low) + _GAP / 2,
        width=across,
        y=top,
        height=round(floor - top, 1),
        rx=1.5,
    )


def _round(value: float) -> float:
    return float(f"{value:.4g}")
