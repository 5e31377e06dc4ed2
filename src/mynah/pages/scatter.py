"""Points in a plane as inline SVG, those that stand out over the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mynah.pages import axes
from mynah.pages.markup import Markup, join, tag

_WIDTH, _HEIGHT = 400, 240


class Point(NamedTuple):
    """A point, with a name where it stands out."""

    x: float
    y: float
    name: str | None = None


def scatter(
    points: Sequence[Point], *, x_label: str, y_label: str, description: str
) -> Markup | None:
    """A point cloud from zero on; None where there is no point."""
    if not points:
        return None
    frame = axes.Frame(
        0.0,
        max(p.x for p in points),
        max(p.y for p in points),
        width=_WIDTH,
        height=_HEIGHT,
    )
    # Many points are one path of short strokes: a hundredth of what circles would take.
    path = "".join(f"M{frame.x(p.x)} {frame.y(p.y)}h0" for p in points if p.name is None)
    named = [
        tag(
            "circle",
            tag("title", p.name),
            class_="named",
            cx=frame.x(p.x),
            cy=frame.y(p.y),
            r=3.2,
        )
        for p in points
        if p.name is not None
    ]
    drawn_axes = frame.draw(
        x_label=x_label, y_label=y_label, show_x=axes.show_number, show_y=axes.show_number
    )
    drawn = join([drawn_axes, tag("path", class_="cloud", d=path) if path else None, named])
    return tag(
        "figure", axes.picture([drawn], description, width=_WIDTH, height=_HEIGHT), class_="plot"
    )


def waveform(peaks: Sequence[float], description: str) -> Markup:
    """A recording's outline: the largest sample of each of its equal parts, 0 to 1."""
    path = "".join(
        f"M{at} {round(12 - 11.5 * min(peak, 1.0), 1)}V{round(12 + 11.5 * min(peak, 1.0), 1)}"
        for at, peak in enumerate(peaks)
    )
    return tag(
        "svg",
        tag("title", description),
        tag("path", d=path),
        class_="waveform",
        viewBox=f"-1 0 {len(peaks) + 1} 24",
        preserveAspectRatio="none",
        role="img",
        aria_label=description,
    )
