"""The page's plot of error rate over duration."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mynah.evaluation.breakdown import DurationBin
from mynah.pages import plots
from mynah.pages.markup import Markup, tag


def error_rate_over_duration(bins: Sequence[DurationBin], overall: float) -> Markup | None:
    """Error rate over duration with intervals; None where there is but one bin."""
    if len(bins) < 2:
        return None
    highs = [
        part.scores.wer if math.isnan(part.scores.wer_high) else part.scores.wer_high
        for part in bins
    ]
    frame = plots.Frame(
        0.0, bins[-1].high, max([overall, *(h for h in highs if not math.isnan(h))])
    )
    drawn = [
        tag(
            "line",
            tag("title", f"whole split: {plots.show_percent(overall)}"),
            class_="overall",
            x1=plots.LEFT,
            x2=plots.WIDTH - plots.RIGHT,
            y1=frame.y(overall),
            y2=frame.y(overall),
        )
    ]
    for part in bins:
        s = part.scores
        if math.isnan(s.wer):
            continue
        middle = frame.x((part.low + part.high) / 2)
        if not math.isnan(s.wer_low):
            drawn.append(
                tag(
                    "line",
                    class_="whisker s0",
                    x1=middle,
                    x2=middle,
                    y1=frame.y(s.wer_low),
                    y2=frame.y(s.wer_high),
                )
            )
        drawn += [
            tag(
                "line",
                class_="line s0",
                x1=frame.x(part.low),
                x2=frame.x(part.high),
                y1=frame.y(s.wer),
                y2=frame.y(s.wer),
            ),
            tag(
                "circle",
                tag(
                    "title",
                    f"{part.low:.1f} to {part.high:.1f} s, {s.utterances:,} utterances:"
                    f" {plots.show_percent(s.wer)}",
                ),
                class_="dot s0",
                cx=middle,
                cy=frame.y(s.wer),
                r=4,
            ),
        ]
    axes = frame.draw(
        x_label="seconds of audio",
        y_label="word error rate",
        show_x=plots.show_number,
        show_y=plots.show_percent,
    )
    description = "Word error rate by duration: " + "; ".join(
        f"{part.low:.1f} to {part.high:.1f} s {plots.show_percent(part.scores.wer)}"
        for part in bins
        if not math.isnan(part.scores.wer)
    )
    return tag("figure", plots.picture([axes, drawn], description), class_="plot")
