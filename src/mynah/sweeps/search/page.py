"""``search.html``: what a search tried and what it shows, as a page to read in a browser."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from mynah.config.values import typed
from mynah.files import write_text
from mynah.pages.document import Section, document
from mynah.pages.markup import Markup, join, tag
from mynah.pages.named_bars import named_bars
from mynah.pages.parallel import parallel_coordinates
from mynah.pages.plots import Line, curves
from mynah.pages.scatter import Point as Dot
from mynah.pages.scatter import scatter
from mynah.pages.tables import Cell, Heading, sortable
from mynah.sweeps.jobs import short_label
from mynah.sweeps.scores import MetricName
from mynah.sweeps.search.coordinates import figures_of, objective_axis, setting_axis, threads
from mynah.sweeps.search.plan import Search
from mynah.sweeps.search.study import SearchStudy, Trial
from mynah.sweeps.table import TableRow, common_metric, other_metrics

PAGE = "search.html"
_UNKNOWN = MetricName("score", "score", "Score", False, False)


def write_page(
    directory: Path, search: Search, study: SearchStudy, rows: Sequence[TableRow]
) -> Path:
    """Write the page.

    Args:
        directory: The sweep's.
        search: What is searched.
        study: Its trials.
        rows: Its trainings.

    Returns:
        The file.
    """
    trials = [one for one in study.trials() if one.refused is None]
    metrics = _metrics(search, rows)
    front = study.front() if len(search.objectives) > 1 else set()
    several = len(search.objectives) > 1
    parts = [
        ("Points", "points", _table(search, trials, metrics, front)),
        ("Pareto front", "front", _front(trials, metrics, front) if several else None),
        ("Course", "course", _course(search, trials, metrics[0])),
        ("Parallel coordinates", "parallel", _parallel(search, trials, metrics)),
        ("Importance", "importance", _importance(search, study, metrics)),
    ]
    text = document(
        title=f"Mynah search: {directory.name}",
        heading="Search",
        created=datetime.now(UTC),
        about=[" · ", tag("code", str(directory))],
        sections=[
            Section(title, anchor, body) for title, anchor, body in parts if body is not None
        ],
        style="",
        script="",
    )
    path = directory / PAGE
    write_text(path, text)
    return path


def _metrics(search: Search, rows: Sequence[TableRow]) -> list[MetricName]:
    """How each objective is shown."""
    measured = common_metric(rows)
    others = {one.name: one for one in other_metrics(rows)}
    found = []
    for place, objective in enumerate(search.objectives):
        seen = measured if place == 0 else others.get(objective.name or "")
        found.append(seen or objective.described() or _UNKNOWN)
    return found


def _label(search: Search, trial: Trial) -> str:
    return short_label({name: typed(trial.point[name]) for name in search.space.dimensions})


def _table(
    search: Search, trials: Sequence[Trial], metrics: Sequence[MetricName], front: set[int]
) -> Markup:
    names = list(search.space.dimensions)
    headings = [
        Heading("point"),
        *(Heading(name, text=True) for name in names),
        *(Heading(metric.label, title=metric.title) for metric in metrics),
        Heading("steps"),
        Heading("status", text=True),
    ]
    rows = []
    for trial in _best_first(search, trials):
        shown: list[str | Cell] = [
            Cell(metric.shown(value), value)
            for metric, value in zip(metrics, trial.values, strict=False)
        ]
        shown += [Cell("–", "")] * (len(metrics) - len(shown))
        steps = max(trial.reports, default=None)
        rows.append(
            [
                Cell(str(trial.number + 1), trial.number + 1),
                *(Cell(typed(trial.point[name]), trial.point[name]) for name in names),
                *shown,
                Cell("–", "") if steps is None else Cell(f"{steps:,}", steps),
                _status(trial, front),
            ]
        )
    note = (
        "Best first; of a pruned point the figure that it was stopped at. A click on a heading "
        "sorts."
    )
    if search.settings.seeds > 1:
        note += f" A figure is the mean over {search.settings.seeds} seeds."
    return join(
        [tag("p", note, class_="quiet"), sortable(headings, rows, label="Points of the search")]
    )


def _status(trial: Trial, front: set[int]) -> str:
    if trial.state == "pruned" and trial.pruned_at is not None:
        return f"pruned at step {trial.pruned_at:,}"
    named = {"done": "done", "failed": "without a figure", "open": "open", "pruned": "pruned"}
    return named[trial.state] + (", on the Pareto front" if trial.number in front else "")


def _best_first(search: Search, trials: Sequence[Trial]) -> list[Trial]:
    sign = -1.0 if search.objectives[0].greater_is_better else 1.0
    order = {"done": 0, "pruned": 1, "open": 2, "failed": 3}
    return sorted(
        trials,
        key=lambda one: (
            order[one.state],
            sign * one.values[0] if one.values else math.inf,
            one.number,
        ),
    )


def _course(search: Search, trials: Sequence[Trial], metric: MetricName) -> Markup | None:
    """Each point's figure, and the best one so far."""
    better = max if search.objectives[0].greater_is_better else min
    each: list[tuple[float, float]] = []
    best: list[tuple[float, float]] = []
    for trial in trials:
        if trial.state != "done":
            continue
        each.append((float(trial.number + 1), trial.values[0]))
        so_far = trial.values[0] if not best else better(best[-1][1], trial.values[0])
        best.append((float(trial.number + 1), so_far))
    return curves(
        [Line("best so far", best), Line("each point", each)],
        y_label=metric.label,
        x_label="point",
        percent=metric.percent,
        description=f"{metric.title} of each point that was trained to the end, and the best so "
        "far",
    )


def _parallel(
    search: Search, trials: Sequence[Trial], metrics: Sequence[MetricName]
) -> Markup | None:
    axes = [setting_axis(one) for one in search.space.dimensions.values()]
    axes += [
        objective_axis(figures_of(trials, place), metric) for place, metric in enumerate(metrics)
    ]
    drawn = parallel_coordinates(
        axes,
        threads(search, trials, metrics, [_label(search, one) for one in trials]),
        description="A line for each point through the values of its settings to its figures",
    )
    if drawn is None:
        return None
    note = (
        "The stronger a line, the better; the best stands out. Pruned points are faint, and end "
        "where the axis does."
    )
    return join([tag("p", note, class_="quiet"), drawn])


def _importance(search: Search, study: SearchStudy, metrics: Sequence[MetricName]) -> Markup | None:
    drawn: list[Markup | None] = []
    for place, metric in enumerate(metrics):
        shares = study.importances(place)
        bars = named_bars(
            list(shares.items()),
            description=f"How much each setting decides {metric.label}",
        )
        if bars is not None:
            drawn += [tag("h3", metric.label) if len(metrics) > 1 else None, bars]
    if not drawn:
        return None
    note = (
        "How much each setting decides whether a point is among the best, by PED-ANOVA (Watanabe "
        "et al. 2023), from the points that were trained to the end. From few points it is a hint."
    )
    return join([tag("p", note, class_="quiet"), *drawn])


def _front(
    trials: Sequence[Trial], metrics: Sequence[MetricName], front: set[int]
) -> Markup | None:
    """The first two objectives of all points, those on the front marked."""
    done = [one for one in trials if one.state == "done"]
    first, second = metrics[0], metrics[1]
    dots = [
        Dot(
            one.values[1],
            one.values[0] * (100 if first.percent else 1),
            f"point {one.number + 1}: {first.shown(one.values[0])}, {second.shown(one.values[1])}"
            if one.number in front
            else None,
        )
        for one in done
    ]
    unit = " (%)" if first.percent else ""
    return scatter(
        dots,
        x_label=second.label,
        y_label=f"{first.label}{unit}",
        description=f"{first.title} over {second.title}: the marked points are surpassed by no "
        "other in every objective",
    )
