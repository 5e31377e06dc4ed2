"""The page's plot of the first metric over duration."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mynah.evaluation.breakdown import DurationBin
from mynah.evaluation.intervals.groups import GroupValue
from mynah.evaluation.score import Measure
from mynah.pages import axes
from mynah.pages.markup import Markup, tag


def error_rate_over_duration(bins: Sequence[DurationBin], overall: Measure) -> Markup | None:
    """The first metric over duration with intervals; None where there is but one bin.

    Args:
        bins: Utterances of similar length with their scores.
        overall: The metric of all of them.
    """
    if len(bins) < 2 or overall.metric.name not in bins[0].rate.values:
        return None
    metric = overall.metric
    show = axes.show_percent if metric.percent else axes.show_number
    measures = [part.rate.values[metric.name] for part in bins]
    ends = [overall.value, *(end for m in measures for end in (m.value, m.high))]
    frame = axes.Frame(0.0, bins[-1].high, max(end for end in ends if not math.isnan(end)))
    drawn = [_overall(frame, overall, show(overall.value))]
    for part, measure in zip(bins, measures, strict=True):
        if not math.isnan(measure.value):
            drawn += _bin(frame, part, measure, show(measure.value))
    drawn_axes = frame.draw(
        x_label="seconds of audio", y_label=metric.title, show_x=axes.show_number, show_y=show
    )
    title = metric.title[0].upper() + metric.title[1:]
    description = f"{title} by duration: " + "; ".join(
        f"{part.low:.1f} to {part.high:.1f} s {show(measure.value)}"
        for part, measure in zip(bins, measures, strict=True)
        if not math.isnan(measure.value)
    )
    return tag("figure", axes.picture([drawn_axes, drawn], description), class_="plot")


def _overall(frame: axes.Frame, overall: Measure, shown: str) -> Markup:
    """The dashed line of all utterances."""
    return tag(
        "line",
        tag("title", f"full split: {shown}"),
        class_="overall",
        x1=axes.LEFT,
        x2=axes.WIDTH - axes.RIGHT,
        y1=frame.y(overall.value),
        y2=frame.y(overall.value),
    )


def _bin(frame: axes.Frame, part: DurationBin, measure: GroupValue, shown: str) -> list[Markup]:
    """A bin: its interval, its width, and its value."""
    middle, height = frame.x((part.low + part.high) / 2), frame.y(measure.value)
    drawn = []
    if not math.isnan(measure.low):
        low, high = frame.y(measure.low), frame.y(measure.high)
        drawn.append(tag("line", class_="whisker s0", x1=middle, x2=middle, y1=low, y2=high))
    title = f"{part.low:.1f} to {part.high:.1f} s, {part.rate.utterances:,} utterances: {shown}"
    return [
        *drawn,
        tag(
            "line",
            class_="line s0",
            x1=frame.x(part.low),
            x2=frame.x(part.high),
            y1=height,
            y2=height,
        ),
        tag("circle", tag("title", title), class_="dot s0", cx=middle, cy=height, r=4),
    ]
