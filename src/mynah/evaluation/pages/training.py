"""The page's training curves."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mynah.pages import plots
from mynah.pages.markup import Markup, tag

_RATE_KEY = re.compile(r"eval_(?:(?P<split>.+)_)?(?P<kind>wer|cer)")


def training_section(history: Sequence[Mapping[str, Any]], splits: Sequence[str]) -> Markup | None:
    """Loss and error rates over steps; None where nothing was trained."""
    losses, rates = curves_of(history, splits)
    loss = plots.curves(
        losses, y_label="loss", percent=False, description="Training loss over steps"
    )
    rate = plots.curves(
        rates, y_label="error rate", percent=True, description="Error rates over training steps"
    )
    if loss is None and rate is None:
        return None
    shaded = any(line.intervals for line in rates)
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
        class_="columns",
    )


def curves_of(
    history: Sequence[Mapping[str, Any]], splits: Sequence[str]
) -> tuple[list[plots.Line], list[plots.Line]]:
    """(losses, error rates) over steps of a training's history.

    Takes a Trainer's log: ``loss``, ``eval_loss``, and ``eval_wer``, ``eval_cer`` of the first
    split, ``eval_<split>_wer`` of another, where known with ``…_low`` and ``…_high``.
    """
    losses: dict[str, plots.Line] = {}
    rates: dict[str, plots.Line] = {}
    for entry in history:
        step = entry.get("step")
        if not isinstance(step, int | float):
            continue
        for key, value in entry.items():
            if not isinstance(value, int | float):
                continue
            if key in ("loss", "eval_loss"):
                name = "training" if key == "loss" else "evaluation"
                losses.setdefault(name, plots.Line(name, [])).points.append((step, value))
            elif match := _RATE_KEY.fullmatch(key):
                split = match["split"] or (splits[0] if splits else "")
                name = f"{split} {match['kind'].upper()}".strip()
                line = rates.setdefault(name, plots.Line(name, [], []))
                line.points.append((step, value))
                assert line.intervals is not None
                line.intervals.append(
                    (entry.get(f"{key}_low", math.nan), entry.get(f"{key}_high", math.nan))
                )
    return list(losses.values()), list(rates.values())
