"""Axes of every drawing: scales, ticks, round steps, and how a value is written."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mynah.pages.markup import Markup, join, tag

# Sizes in the plot's own units; the page scales it to its column.
WIDTH, HEIGHT = 560, 300
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 14, 46


@dataclass(frozen=True)
class Scale:
    """Values ``low`` to ``high`` along an axis to places ``first`` to ``last`` in the drawing."""

    low: float
    high: float
    first: float
    last: float

    def __call__(self, value: float) -> float:
        """The place of a value, to a tenth of a unit."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.first + share * (self.last - self.first), 1)


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
        highest = self.y_ticks[-1] if self.y_ticks[-1] > 0 else 1.0
        self._x = Scale(x_low, max(x_high, x_low + 1e-9), LEFT, width - RIGHT)
        self._y = Scale(0.0, highest, height - BOTTOM, TOP)

    def x(self, value: float) -> float:
        """Place from the left."""
        return self._x(value)

    def y(self, value: float) -> float:
        """Place from the top."""
        return self._y(value)

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
                if self._x.low <= v <= self._x.high
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


def round_step(step: float, *, up: bool = False) -> float:
    """1, 2 or 5 times a power of ten: the nearest by its ratio, or the next one up."""
    power = 10.0 ** math.floor(math.log10(step))
    steps = [times * power for times in (1, 2, 5, 10)]
    if up:
        return next(one for one in steps if one >= step * 0.999)
    return min(steps, key=lambda one: abs(math.log(one / step)))


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round values that span ``low`` to ``high``: steps of 1, 2 or 5 times a power of ten."""
    span = high - low
    if not span > 0:
        return [low, low + 1.0]
    step = round_step(span / about, up=True)
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


def picture(
    children: Sequence[object],
    description: str,
    *,
    width: int = WIDTH,
    height: int = HEIGHT,
    **attributes: object,
) -> Markup:
    """A drawing of a frame's size; ``description`` says what it shows to who cannot see it."""
    return tag(
        "svg",
        tag("title", description),
        children,
        viewBox=f"0 0 {width} {height}",
        style=f"max-width: {width * 5 // 4}px",  # its letters stay close to the page's
        role="img",
        aria_label=description,
        **attributes,
    )
