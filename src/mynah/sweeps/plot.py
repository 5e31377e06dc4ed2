"""A sweep as one picture: a line of SVG for each settings, best on top."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from mynah.files import write_text
from mynah.pages.axes import Scale, picture, show_number, show_percent, ticks
from mynah.pages.markup import Markup, tag
from mynah.sweeps.scores import MetricName, Score
from mynah.sweeps.table import SeedGroup, TableRow, common_metric, group_seeds, has_seeds

_ROW = 30  # pixels between two settings
_TOP = 64
_PLOT_WIDTH = 460
_RIGHT = 90
_TICKS = 6  # about so many
_CHARACTER = 7.3  # pixels, of the 12-pixel monospace labels
_INK, _FAINT, _MARK = "#1f2933", "#d5dbe1", "#0b6e99"


def write_plot(path: Path, rows: Sequence[TableRow], title: str) -> bool:
    """Draw the jobs' metric with its 95 % intervals, the seeds of the same settings on one line.

    Args:
        path: The SVG file.
        rows: The jobs, best first.
        title: What the sweep is.

    Returns:
        Whether there was anything to draw: at least one value.
    """
    groups = [group for group in group_seeds(rows) if not math.isnan(group.mean)]
    if not groups:
        return False
    metric = common_metric(rows)
    assert metric is not None
    write_text(path, _draw(groups, title, metric))
    return True


def _draw(groups: Sequence[SeedGroup], title: str, metric: MetricName) -> str:
    left = 20 + _CHARACTER * max(len(group.label) for group in groups)
    right = left + _PLOT_WIDTH
    scores = [score for group in groups for score in _scores(group, metric)]
    highest = max(max(score.value, _ends(score)[1]) for score in scores)
    places = ticks(0.0, max(highest, 1e-6), about=_TICKS)
    x = Scale(0.0, places[-1], left, right)
    show = show_percent if metric.percent else show_number
    height = _TOP + _ROW * len(groups) + 34
    bottom = _TOP + _ROW * len(groups) - 8
    dots = "a dot each seed, bar: their mean" if has_seeds(groups) else "95 % intervals"
    drawn = [
        tag("rect", width="100%", height="100%", fill="white"),
        tag("text", title, x=12, y=22, font_size=14, font_weight="bold"),
        tag("text", f"{metric.title}, best on top; {dots}", x=12, y=40),
    ]
    for place in places:
        drawn += [
            tag("line", x1=x(place), x2=x(place), y1=_TOP - 12, y2=bottom, stroke=_FAINT),
            tag("text", show(place), x=x(place), y=bottom + 18, text_anchor="middle"),
        ]
    for position, group in enumerate(groups):
        y = _TOP + _ROW * position + 4
        drawn.append(tag("text", group.label, x=12, y=y + 4))
        drawn += [_job(row, x, y) for row in group.rows if _measured(row, metric)]
        if len(group.rows) > 1:
            mean = x(group.mean)
            drawn.append(
                tag("line", x1=mean, x2=mean, y1=y - 9, y2=y + 9, stroke=_INK, stroke_width=2)
            )
        drawn.append(tag("text", metric.shown(group.mean), x=round(right + 12, 1), y=y + 4))
    return picture(
        drawn,
        title,
        width=round(right + _RIGHT),
        height=height,
        # A file of its own, with no page around it that would have a style.
        xmlns="http://www.w3.org/2000/svg",
        font_family="monospace",
        font_size=12,
        fill=_INK,
    )


def _job(row: TableRow, x: Scale, y: float) -> Markup:
    score = row.outcome.score
    assert score is not None
    low, high = _ends(score)
    return tag(
        "g",
        tag("title", f"{row.job.label}: {score.shown}"),
        tag("line", x1=x(low), x2=x(high), y1=y, y2=y, stroke=_MARK, stroke_width=2, opacity=0.45),
        tag("circle", cx=x(score.value), cy=y, r=4.5, fill=_MARK),
    )


def _measured(row: TableRow, metric: MetricName) -> bool:
    score = row.outcome.score
    if score is None or row.outcome.status == "pruned":
        return False
    return score.metric == metric and not math.isnan(score.value)


def _scores(group: SeedGroup, metric: MetricName) -> list[Score]:
    return [
        row.outcome.score
        for row in group.rows
        if row.outcome.score is not None and _measured(row, metric)
    ]


def _ends(score: Score) -> tuple[float, float]:
    """The interval of a measured job, or its value twice where it has none."""
    if math.isnan(score.low) or math.isnan(score.high):
        return score.value, score.value
    return score.low, score.high
