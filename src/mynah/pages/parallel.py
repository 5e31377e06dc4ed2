"""Parallel coordinates as inline SVG: an upright axis a quantity, and a line through each thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mynah.pages.axes import picture
from mynah.pages.markup import Markup, tag

_GAP, _HEIGHT = 170, 320  # between two axes; of the drawing
_LEFT, _TOP, _BOTTOM = 90, 40, 24


@dataclass(frozen=True)
class UprightAxis:
    """One quantity.

    Attributes:
        label: Its name.
        ticks: Places from 0 (bottom) to 1 (top), each with what stands there.
    """

    label: str
    ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Thread:
    """What one thing is in each quantity.

    Attributes:
        name: Shown where a pointer rests on it.
        places: From 0 to 1 on each axis; None: not known, the line ends before it.
        shade: From 0 (faint) to 1 (strong).
        first: Whether it stands out from all others.
    """

    name: str
    places: Sequence[float | None]
    shade: float
    first: bool = False


def parallel_coordinates(
    axes: Sequence[UprightAxis], threads: Sequence[Thread], *, description: str
) -> Markup | None:
    """Lines through axes, the strong ones over the faint ones; None where there is none.

    Args:
        axes: From left to right.
        threads: In any order.
        description: For who cannot see it.
    """
    if not threads or len(axes) < 2:
        return None
    width = _LEFT + _GAP * (len(axes) - 1) + 70
    in_order = sorted(threads, key=lambda one: (one.first, one.shade))
    drawing = picture(
        [
            [
                _axis(one, _LEFT + _GAP * place, last=place == len(axes) - 1)
                for place, one in enumerate(axes)
            ],
            [_line(one) for one in in_order],
        ],
        description,
        width=width,
        height=_HEIGHT,
    )
    return tag("figure", drawing, class_="plot")


def _y(place: float) -> float:
    return round(_HEIGHT - _BOTTOM - place * (_HEIGHT - _BOTTOM - _TOP), 1)


def _axis(axis: UprightAxis, x: float, *, last: bool) -> Markup:
    # Behind the last axis there is no line that its ticks would stand on.
    beside: dict[str, object] = {"x": x - 7}
    if last:
        beside = {"x": x + 7, "style": "text-anchor: start"}
    return tag(
        "g",
        tag("text", axis.label, class_="label", x=x, y=18),
        tag("line", class_="axis", x1=x, x2=x, y1=_y(0.0), y2=_y(1.0)),
        [
            tag("text", shown, class_="tick y", y=_y(place) + 4, **beside)
            for place, shown in axis.ticks
        ],
    )


def _line(thread: Thread) -> Markup | None:
    points = []
    for number, place in enumerate(thread.places):
        if place is None:
            break
        points.append(f"{_LEFT + _GAP * number},{_y(place)}")
    if len(points) < 2:
        return None
    return tag(
        "polyline",
        tag("title", thread.name),
        class_=f"line series {'s1' if thread.first else 's0'}",
        style="stroke-dasharray: none",
        points=" ".join(points),
        opacity=1.0 if thread.first else round(0.12 + 0.7 * thread.shade, 2),
    )
