"""Plots as inline SVG: colours come from the page's style sheet, numbers from here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mynah.pages.axes import TOP, Frame, Scale, picture, show_number, show_percent
from mynah.pages.markup import Markup, tag

_STRIP_WIDTH, _STRIP_HEIGHT = 200, 18


@dataclass(frozen=True)
class Line:
    """One curve: its name, points (x, y), and where known an interval (low, high) a point."""

    name: str
    points: list[tuple[float, float]]
    intervals: list[tuple[float, float]] | None = None


def curves(
    lines: Sequence[Line],
    *,
    y_label: str,
    percent: bool,
    description: str,
    x_label: str = "step",
) -> Markup | None:
    """Curves over training steps, or what ``x_label`` says, with a legend; None where there is
    nothing to draw."""
    lines = [
        Line(line.name, *_finite(line.points, line.intervals)) for line in lines if line.points
    ]
    lines = [line for line in lines if line.points]
    if not lines:
        return None
    xs = [x for line in lines for x, _ in line.points]
    tops = [y for line in lines for _, y in line.points]
    frame = Frame(0.0, max(xs), max(tops))
    show_y = show_percent if percent else show_number
    drawn = []
    for number, line in enumerate(lines):
        series = f"series s{number % 6}"
        if line.intervals and len(line.points) > 1:
            upper = [
                (x, high) for (x, _), (_, high) in zip(line.points, line.intervals, strict=True)
            ]
            lower = [(x, low) for (x, _), (low, _) in zip(line.points, line.intervals, strict=True)]
            around = " ".join(
                f"{frame.x(x)},{max(frame.y(y), TOP)}" for x, y in upper + lower[::-1]
            )
            drawn.append(tag("polygon", class_=f"band {series}", points=around))
        path = " ".join(f"{frame.x(x)},{frame.y(y)}" for x, y in line.points)
        drawn.append(tag("polyline", class_=f"line {series}", points=path))
        if len(line.points) <= 60:
            drawn += [
                tag(
                    "circle",
                    tag("title", f"{line.name}, {x_label} {show_number(x)}: {show_y(y)}"),
                    class_=f"dot {series}",
                    cx=frame.x(x),
                    cy=frame.y(y),
                    r=3,
                )
                for x, y in line.points
            ]
    drawing = picture(
        [
            frame.draw(x_label=x_label, y_label=y_label, show_x=show_number, show_y=show_y),
            drawn,
        ],
        description,
    )
    return tag("figure", drawing, _legend(lines) if len(lines) > 1 else None, class_="plot")


def strip(rate: float, low: float, high: float, most: float) -> Markup:
    """A rate with its interval on a small scale from 0 to ``most``, for a table's cell."""
    scale = Scale(0.0, most or 1.0, 5, _STRIP_WIDTH - 5)

    def place(value: float) -> float:
        return scale(min(value, most))

    middle = _STRIP_HEIGHT / 2
    drawn = [tag("line", class_="grid", x1=5, x2=_STRIP_WIDTH - 5, y1=middle, y2=middle)]
    if not math.isnan(low):
        drawn.append(
            tag("line", class_="whisker s0", x1=place(low), x2=place(high), y1=middle, y2=middle)
        )
    if not math.isnan(rate):
        drawn.append(tag("circle", class_="dot s0", cx=place(rate), cy=middle, r=4.5))
    return tag(
        "svg",
        drawn,
        class_="strip",
        viewBox=f"0 0 {_STRIP_WIDTH} {_STRIP_HEIGHT}",
        aria_hidden="true",
    )


def share_bar(parts: Sequence[tuple[str, str, int]]) -> Markup:
    """A bar of shares; ``parts`` are (name, class, count)."""
    total = sum(count for _, _, count in parts) or 1
    drawn, left = [], 0.0
    for name, kind, count in parts:
        width = 100 * count / total
        if count:
            drawn.append(
                tag(
                    "rect",
                    tag("title", f"{name}: {count:,}"),
                    class_=kind,
                    x=round(left, 2),
                    y=0,
                    width=round(max(width - 0.4, 0.2), 2),
                    height=6,
                )
            )
        left += width
    return tag(
        "svg",
        drawn,
        class_="mix",
        viewBox="0 0 100 6",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def _finite(
    points: Sequence[tuple[float, float]], intervals: Sequence[tuple[float, float]] | None
) -> tuple[list[tuple[float, float]], list[tuple[float, float]] | None]:
    kept = [i for i, (x, y) in enumerate(points) if math.isfinite(x) and math.isfinite(y)]
    if intervals is not None and all(math.isfinite(v) for i in kept for v in intervals[i]):
        return [points[i] for i in kept], [intervals[i] for i in kept]
    return [points[i] for i in kept], None


def _legend(lines: Sequence[Line]) -> Markup:
    return tag(
        "figcaption",
        [
            tag(
                "span",
                tag(
                    "svg",
                    tag("line", class_=f"line series s{n % 6}", x1=1, x2=23, y1=5, y2=5),
                    viewBox="0 0 24 10",
                    aria_hidden="true",
                ),
                line.name,
                class_="key",
            )
            for n, line in enumerate(lines)
        ],
    )
