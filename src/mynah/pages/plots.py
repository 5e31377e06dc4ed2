"""Plots as inline SVG: colours come from the page's style sheet, numbers from here."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mynah.pages.markup import Markup, join, tag

# Sizes in the plot's own units; the page scales it to its column.
WIDTH, HEIGHT = 560, 300
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 14, 46
_STRIP_WIDTH, _STRIP_HEIGHT = 200, 18


@dataclass(frozen=True)
class Line:
    """One curve: its name, points (x, y), and where known an interval (low, high) a point."""

    name: str
    points: list[tuple[float, float]]
    intervals: list[tuple[float, float]] | None = None


class Frame:
    """Axes: maps values to places in the drawing, ``width`` × ``height`` of its own units."""

    def __init__(
        self,
        x_low: float,
        x_high: float,
        y_high: float,
        *,
        width: int = WIDTH,
        height: int = HEIGHT,
    ) -> None:
        self.width, self.height = width, height
        self.x_ticks = ticks(x_low, x_high)
        self.y_ticks = ticks(0.0, y_high)
        self._x = x_low, max(x_high, x_low + 1e-9)
        self._y = self.y_ticks[-1] if self.y_ticks[-1] > 0 else 1.0

    def x(self, value: float) -> float:
        """Place from the left."""
        low, high = self._x
        return round(LEFT + (value - low) / (high - low) * (self.width - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        """Place from the top."""
        return round(self.height - BOTTOM - value / self._y * (self.height - TOP - BOTTOM), 1)

    def draw(
        self,
        *,
        x_label: str,
        y_label: str,
        show_x: Callable[[float], str],
        show_y: Callable[[float], str],
    ) -> Markup:
        """Grid, axes, their labels and the values at their ticks."""
        right, bottom = self.width - RIGHT, self.height - BOTTOM
        middle = (TOP + bottom) / 2
        return join(
            [
                [
                    tag("line", class_="grid", x1=LEFT, x2=right, y1=self.y(v), y2=self.y(v)),
                    tag("text", show_y(v), class_="tick y", x=LEFT - 8, y=self.y(v) + 4),
                ]
                for v in self.y_ticks
            ]
            + [
                tag("text", show_x(v), class_="tick x", x=self.x(v), y=bottom + 18)
                for v in self.x_ticks
                if self._x[0] <= v <= self._x[1]
            ]
            + [
                tag("line", class_="axis", x1=LEFT, x2=right, y1=bottom, y2=bottom),
                tag("text", x_label, class_="label", x=(LEFT + right) / 2, y=self.height - 8),
                tag(
                    "text",
                    y_label,
                    class_="label",
                    x=14,
                    y=middle,
                    transform=f"rotate(-90 14 {middle})",
                ),
            ]
        )


def curves(
    lines: Sequence[Line], *, y_label: str, percent: bool, description: str
) -> Markup | None:
    """Curves over training steps with a legend; None where there is nothing to draw."""
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
                    tag("title", f"{line.name}, step {x:,.0f}: {show_y(y)}"),
                    class_=f"dot {series}",
                    cx=frame.x(x),
                    cy=frame.y(y),
                    r=3,
                )
                for x, y in line.points
            ]
    drawing = picture(
        [
            frame.draw(x_label="step", y_label=y_label, show_x=show_number, show_y=show_y),
            drawn,
        ],
        description,
    )
    return tag("figure", drawing, _legend(lines) if len(lines) > 1 else None, class_="plot")


def strip(rate: float, low: float, high: float, most: float) -> Markup:
    """A rate with its interval on a small scale from 0 to ``most``, for a table's cell."""

    def place(value: float) -> float:
        return round(5 + min(value / most if most else 0.0, 1.0) * (_STRIP_WIDTH - 10), 1)

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


def mix(parts: Sequence[tuple[str, str, int]]) -> Markup:
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


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round values that span ``low`` to ``high``: steps of 1, 2 or 5 times a power of ten."""
    span = high - low
    if not span > 0:
        return [low, low + 1.0]
    rough = span / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(m for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def show_percent(rate: float) -> str:
    """``7.4 %``; two digits after the point below one per cent."""
    if math.isnan(rate):
        return "–"
    value = 100 * rate
    if value == round(value):
        return f"{value:.0f} %"
    return f"{value:.1f} %" if value >= 1 else f"{value:.2f} %"


def show_number(value: float) -> str:
    """``1,500`` or ``0.25``."""
    return f"{value:,.0f}" if value == round(value) else f"{value:,.4g}"


def _finite(
    points: Sequence[tuple[float, float]], intervals: Sequence[tuple[float, float]] | None
) -> tuple[list[tuple[float, float]], list[tuple[float, float]] | None]:
    kept = [i for i, (x, y) in enumerate(points) if math.isfinite(x) and math.isfinite(y)]
    if intervals is not None and all(math.isfinite(v) for i in kept for v in intervals[i]):
        return [points[i] for i in kept], [intervals[i] for i in kept]
    return [points[i] for i in kept], None


def picture(
    children: Sequence[object], description: str, *, width: int = WIDTH, height: int = HEIGHT
) -> Markup:
    """A drawing of a frame's size; ``description`` says what it shows to who cannot see it."""
    return tag(
        "svg",
        tag("title", description),
        children,
        viewBox=f"0 0 {width} {height}",
        role="img",
        aria_label=description,
    )


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
