"""The end of a sweep over shares of the training data: the forecast, printed and plotted."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from pathlib import Path

from mynah import console
from mynah.errors import UserError
from mynah.files import display_path, read_json, write_text
from mynah.pages.axes import TOP, Frame, picture, show_percent
from mynah.pages.markup import tag
from mynah.sweeps import forecast
from mynah.sweeps.forecast import SHARE, Forecast, ShareResult
from mynah.sweeps.scores import MetricName
from mynah.sweeps.table import TableRow, common_metric

FORECAST_FILE = "forecast.svg"
_TWICE = 2.0
_FEWEST_UTTERANCES = 40  # of the smallest share: fewer show chance and no curve
_ASSUMED_SPREAD = 0.05  # of a rate's logarithm between trainings, where seeds do not tell
_STEPS = 40  # of the curve
_INK, _MARK = "#1f2933", "#0b6e99"


def conclude(rows: Sequence[TableRow], sweep_directory: Path) -> None:
    """Print and draw what twice the data would give; nothing where the sweep varied other things.

    Args:
        rows: The jobs with their outcomes.
        sweep_directory: Where ``forecast.svg`` is written.
    """
    if not forecast.is_data_sweep([set(row.job.swept) for row in rows]):
        return
    metric = common_metric(rows)
    if metric is None:
        return
    found = _fitted(rows, metric)
    if isinstance(found, str):
        console.notice(f"No forecast: {found}.")
        return
    for line in described(found, metric):
        console.say(line)
    path = sweep_directory / FORECAST_FILE
    write_text(path, str(drawn(found, metric)))
    console.say(f"Curve: {display_path(path)}")


def _fitted(rows: Sequence[TableRow], metric: MetricName) -> Forecast | str:
    if metric.greater_is_better:
        return f"{metric.label} is not an error rate"
    smallest = min(rows, key=lambda row: float(row.job.swept[SHARE]))
    utterances = _utterances(smallest)
    if utterances is not None and utterances < _FEWEST_UTTERANCES:
        return _too_few(smallest.job.swept[SHARE], utterances)
    return forecast.fit_power_law(points_of(rows, metric))


def check_share(share: float, utterances: int) -> None:
    """Refuse a smallest share of the training data that shows chance and no curve.

    Raises:
        UserError: It is one.
    """
    if utterances < _FEWEST_UTTERANCES:
        raise UserError(
            f"No curve: {_too_few(share, utterances)}.",
            where=SHARE,
            fix="give more data, or larger shares, as data.train_share=0.5,0.75,1",
        )


def _too_few(share: object, utterances: int) -> str:
    return (
        f"{share} of the training data is {utterances} utterance(s), too few to tell a curve from "
        f"chance ({_FEWEST_UTTERANCES} at least)"
    )


def _utterances(row: TableRow) -> int | None:
    """Training utterances of a job, as its ``data.json`` says."""
    splits = read_json(row.job.directory / "data.json").get("splits")
    train = splits.get("train") if isinstance(splits, dict) else None
    found = train.get("kept") if isinstance(train, dict) else None
    return found if isinstance(found, int) else None


def points_of(rows: Sequence[TableRow], metric: MetricName) -> list[ShareResult]:
    """A point for each share: the mean over its seeds, with the spread between them.

    Where no share has two seeds, how much a training differs from the next is not known, and a
    twentieth of the rate is assumed.
    """
    by_share: dict[float, list[ShareResult]] = {}
    for row in rows:
        score = row.outcome.score
        if score is None or score.metric != metric or math.isnan(score.value):
            continue
        if row.outcome.status == "pruned":
            continue
        share, low = float(row.job.swept[SHARE]), score.low
        inside = score.value > 0 and low > 0 and score.high > low
        point = (
            ShareResult.measured(share, score.value, low, score.high)
            if inside
            else ShareResult(share, score.value, math.nan)
        )
        by_share.setdefault(share, []).append(point)
    spread = _spread(list(by_share.values()))
    return [_mean(points, spread) for _, points in sorted(by_share.items())]


def _spread(shares: Sequence[Sequence[ShareResult]]) -> float:
    """The standard deviation of a rate's logarithm between seeds, of all shares together."""
    squares, freedom = 0.0, 0
    for points in shares:
        if len(points) > 1 and all(point.rate > 0 for point in points):
            squares += (len(points) - 1) * statistics.variance(math.log(p.rate) for p in points)
            freedom += len(points) - 1
    return math.sqrt(squares / freedom) if freedom else _ASSUMED_SPREAD


def _mean(points: Sequence[ShareResult], spread: float) -> ShareResult:
    rate = statistics.fmean(point.rate for point in points)
    deviation = statistics.fmean(point.deviation for point in points)
    return ShareResult(points[0].share, rate, deviation, spread, len(points))


def described(found: Forecast, metric: MetricName) -> list[str]:
    """The forecast in two sentences."""
    low, high = found.interval(_TWICE)
    least, most = found.exponent_interval
    first = (
        f"Forecast: with twice the training data {metric.label} {metric.shown(found.rate(_TWICE))} "
        f"(95 %: {metric.shown(low)} to {metric.shown(high)}); all of it gives "
        f"{metric.shown(found.rate(1.0))} on the curve."
    )
    law = (
        f"Each doubling leaves {2**-found.exponent:.0%} of the error rate (95 %: {2**-most:.0%} to "
        f"{min(2**-least, 9.99):.0%})"
    )
    if least <= 0:
        return [first, f"{law}: it is not certain that more data help."]
    return [first, f"{law}; a curve may flatten beyond what was measured."]


def drawn(found: Forecast, metric: MetricName) -> object:
    """The points, the curve through them to twice the data, and its interval."""
    first = min(point.share for point in found.points)
    shares = [first + (_TWICE - first) * step / _STEPS for step in range(_STEPS + 1)]
    ends = [found.interval(share) for share in shares]
    whiskers = [
        (
            point,
            point.rate * math.exp(-1.96 * point.deviation),
            point.rate * math.exp(1.96 * point.deviation),
        )
        for point in found.points
    ]
    frame = Frame(0.0, _TWICE, min(max(high for _, high in ends), 3 * found.rate(first)))

    def at(share: float, rate: float) -> str:
        return f"{frame.x(share)},{max(frame.y(rate), TOP)}"

    upper = [at(share, high) for share, (_, high) in zip(shares, ends, strict=True)]
    lower = [at(share, low) for share, (low, _) in zip(shares, ends, strict=True)]
    curve = " ".join(at(share, found.rate(share)) for share in shares)
    title = f"{metric.title} over shares of the training data, and the forecast for 200 %"
    return picture(
        [
            tag("rect", width="100%", height="100%", fill="white"),
            frame.draw(
                x_label="training data", y_label=metric.label, show_x=show_percent,
                show_y=show_percent if metric.percent else "{:.4g}".format,
            ),
            tag("polygon", points=" ".join(upper + lower[::-1]), fill=_MARK, opacity=0.18),
            tag("polyline", points=curve, fill="none", stroke=_MARK, stroke_width=2),
            [
                tag(
                    "g",
                    tag("title", f"{point.share:.0%}: {metric.shown(point.rate)}"),
                    tag(
                        "line", x1=frame.x(point.share), x2=frame.x(point.share),
                        y1=frame.y(low), y2=max(frame.y(high), TOP), stroke=_INK,
                    ),
                    tag("circle", cx=frame.x(point.share), cy=frame.y(point.rate), r=4, fill=_INK),
                )
                for point, low, high in whiskers
            ],
        ],
        title,
        xmlns="http://www.w3.org/2000/svg",
        font_family="monospace",
        font_size=12,
        fill=_INK,
    )  # fmt: skip
