"""A sweep as one picture: a line of SVG for each settings, best on top."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from mynah.files import write_text
from mynah.sweeps.scores import MetricName, Score
from mynah.sweeps.table import Group, Row, common_metric, group_seeds, has_seeds

_ROW = 30  # pixels between two settings
_TOP = 64
_PLOT_WIDTH = 460
_RIGHT = 90
_CHARACTER = 7.3  # pixels, of the 12-pixel monospace labels
_INK, _FAINT, _MARK = "#1f2933", "#d5dbe1", "#0b6e99"


def write_plot(path: Path, rows: Sequence[Row], title: str) -> bool:
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


def _draw(groups: Sequence[Group], title: str, metric: MetricName) -> str:
    left = 20 + _CHARACTER * max(len(group.label) for group in groups)
    scale = 100.0 if metric.percent else 1.0
    scores = [score for group in groups for score in _scores(group, metric)]
    highest = max(max(score.value, _ends(score)[1]) for score in scores)
    step = _tick_step(scale * highest)
    top = math.ceil(max(scale * highest, 1e-9) / step) * step  # shown at the right edge

    def x(value: float) -> float:
        return left + _PLOT_WIDTH * scale * value / top

    unit = " %" if metric.percent else ""
    height = _TOP + _ROW * len(groups) + 34
    width = left + _PLOT_WIDTH + _RIGHT
    bottom = _TOP + _ROW * len(groups) - 8
    dots = "a dot each seed, bar: their mean" if has_seeds(groups) else "95 % intervals"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
        f'viewBox="0 0 {width:.0f} {height}" font-family="monospace" font-size="12" '
        f'fill="{_INK}" role="img">',
        f"<title>{escape(title)}</title>",
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="12" y="22" font-size="14" font-weight="bold">{escape(title)}</text>',
        f'<text x="12" y="40">{escape(metric.title)}, best on top; {dots}</text>',
    ]
    for tick in range(round(top / step) + 1):
        place = x(tick * step / scale)
        parts.append(
            f'<line x1="{place:.1f}" x2="{place:.1f}" y1="{_TOP - 12}" y2="{bottom}" '
            f'stroke="{_FAINT}"/>'
            f'<text x="{place:.1f}" y="{bottom + 18}" text-anchor="middle">'
            f"{tick * step:g}{unit}</text>"
        )
    for position, group in enumerate(groups):
        y = _TOP + _ROW * position + 4
        parts.append(f'<text x="12" y="{y + 4}">{escape(group.label)}</text>')
        parts += [_job(row, x, y) for row in group.rows if _measured(row, metric)]
        if len(group.rows) > 1:
            mean = x(group.mean)
            parts.append(
                f'<line x1="{mean:.1f}" x2="{mean:.1f}" y1="{y - 9}" y2="{y + 9}" '
                f'stroke="{_INK}" stroke-width="2"/>'
            )
        parts.append(
            f'<text x="{left + _PLOT_WIDTH + 12:.1f}" y="{y + 4}">{metric.shown(group.mean)}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def _job(row: Row, x: Callable[[float], float], y: float) -> str:
    score = row.outcome.score
    assert score is not None
    low, high = _ends(score)
    hover = f"{row.job.label}: {score.shown}"
    return (
        f"<g><title>{escape(hover)}</title>"
        f'<line x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{y}" y2="{y}" stroke="{_MARK}" '
        f'stroke-width="2" opacity="0.45"/>'
        f'<circle cx="{x(score.value):.1f}" cy="{y}" r="4.5" fill="{_MARK}"/></g>'
    )


def _measured(row: Row, metric: MetricName) -> bool:
    score = row.outcome.score
    return score is not None and score.metric == metric and not math.isnan(score.value)


def _scores(group: Group, metric: MetricName) -> list[Score]:
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


def _tick_step(highest: float) -> float:
    """A round distance between ticks, in percent, that makes four to ten of them."""
    for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0):
        if highest / step <= 8:
            return step
    return highest
