"""The page's training curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mynah.config.plugins.metrics import LOSS
from mynah.evaluation.logged import logged
from mynah.pages import plots
from mynah.pages.markup import Markup, tag


def training_section(history: Sequence[Mapping[str, Any]], splits: Sequence[str]) -> Markup | None:
    """Loss, error rates and other scores over steps; None where nothing was trained."""
    losses, rates, others = curves_of(history, splits)
    loss = plots.curves(
        losses, y_label="loss", percent=False, description="Training loss over steps"
    )
    rate = plots.curves(
        rates, y_label="error rate", percent=True, description="Error rates over training steps"
    )
    score = plots.curves(
        others, y_label="score", percent=False, description="Scores over training steps"
    )
    if loss is None and rate is None and score is None:
        return None
    timed, learning = over_minutes(history, splits)
    rate_by_time = plots.curves(
        timed, y_label="error rate", percent=True, x_label="minutes",
        description="Error rates over minutes of training",
    )  # fmt: skip
    learning_rate = plots.curves(
        learning, y_label="learning rate", percent=False, x_label="minutes",
        description="Learning rate over minutes of training",
    )  # fmt: skip
    shaded = any(
        math.isfinite(end) for line in rates for ends in line.intervals or () for end in ends
    )
    return tag(
        "div",
        tag("div", tag("h3", "Loss"), loss) if loss else None,
        tag(
            "div",
            tag("h3", "Error rates during training"),
            rate,
            tag("p", "Shaded: 95 % intervals.", class_="quiet") if shaded else None,
        )
        if rate
        else None,
        tag("div", tag("h3", "Scores during training"), score) if score else None,
        tag("div", tag("h3", "Error rates over minutes"), rate_by_time) if rate_by_time else None,
        tag("div", tag("h3", "Learning rate over minutes"), learning_rate)
        if learning_rate
        else None,
        class_="columns",
    )


def over_minutes(
    history: Sequence[Mapping[str, Any]], splits: Sequence[str]
) -> tuple[list[plots.Line], list[plots.Line]]:
    """(error rates, learning rate) over the minutes of a training's history, whose entries hold
    them as ``minutes`` where they are known."""
    timed = [entry for entry in history if isinstance(entry.get("minutes"), int | float)]
    _, rates, _ = curves_of([{**entry, "step": entry["minutes"]} for entry in timed], splits)
    points = [
        (float(entry["minutes"]), float(rate))
        for entry in timed
        if isinstance(rate := entry.get("learning_rate"), int | float)
    ]
    return rates, [plots.Line("learning rate", points)] if points else []


def curves_of(
    history: Sequence[Mapping[str, Any]], splits: Sequence[str]
) -> tuple[list[plots.Line], list[plots.Line], list[plots.Line]]:
    """(losses, rates in per cent, other scores) over steps of a training's history.

    Takes a Trainer's log: ``loss``, and the metrics of evaluations as
    :func:`mynah.evaluation.logged.logged` reads them.
    """
    losses: dict[str, plots.Line] = {}
    rates: dict[str, plots.Line] = {}
    others: dict[str, plots.Line] = {}
    for entry in history:
        step = entry.get("step")
        if not isinstance(step, int | float):
            continue
        if isinstance(loss := entry.get("loss"), int | float):
            losses.setdefault("training", plots.Line("training", [])).points.append((step, loss))
        for found in logged(entry):
            if found.metric.name == LOSS:
                name = f"evaluation {found.split}".strip()
                losses.setdefault(name, plots.Line(name, [])).points.append((step, found.value))
                continue
            group = rates if found.metric.percent else others
            split = found.split or (splits[0] if splits else "")
            name = f"{split} {found.metric.label}".strip()
            line = group.setdefault(name, plots.Line(name, [], []))
            line.points.append((step, found.value))
            assert line.intervals is not None
            line.intervals.append((found.low, found.high))
    return list(losses.values()), list(rates.values()), list(others.values())
