"""The page's error rates: headline cards and tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mynah.evaluation.intervals.interval import says_something
from mynah.evaluation.metrics.metric import Metric
from mynah.evaluation.score import Measure, Scores
from mynah.pages import axes, plots, tables
from mynah.pages.markup import Markup, join, tag

if TYPE_CHECKING:
    from mynah.evaluation.evaluate import Evaluation


def rates_section(evaluations: Mapping[str, Evaluation], about: Mapping[str, Any]) -> Markup:
    """The headline of each split, what is said of the corpus, and the table of all splits."""
    cards = [_card(name, found) for name, found in evaluations.items()]
    return join(
        [
            tag("div", cards, class_="cards"),
            _statement(about.get("statement")),
            _statement(about.get("selection")),
            _statement(about.get("shared")),
            rates_table(
                "split", {name: found.scores for name, found in evaluations.items()}, evaluations
            ),
        ]
    )


def _card(name: str, evaluation: Evaluation) -> Markup:
    s = evaluation.scores
    cut = sum(hypothesis.is_cut for hypothesis in evaluation.hypotheses)
    hours = f"{s.utterances:,} utterances, {s.words:,} words"
    return tag(
        "article",
        tag("h3", name),
        tag(
            "div",
            [_headline(measure, _scale(s, measure)) for measure in s.shown],
            class_="pair",
        ),
        _error_mix(s),
        tag(
            "p",
            f"{hours}; {axes.show_percent(s.sentence_error_rate)} of the utterances have an error."
            + (f" {s.failed:,} could not be decoded and count as fully wrong." if s.failed else "")
            + (f" {cut:,} reached model.generation_max_length and were cut." if cut else "")
            + (
                f" {s.empty_references:,} have an empty reference: what was recognized there counts"
                " as insertions."
                if s.empty_references
                else ""
            ),
            class_="quiet",
        ),
        class_="card",
    )


def _scale(s: Scores, shown: Measure) -> float:
    """The right end of a small plot, shared by the metrics of one unit: the largest end."""
    alike = [m for m in s.shown if m.metric.percent == shown.metric.percent]
    ends = [v for m in alike for v in (m.value, m.high) if not math.isnan(v)]
    return max(0.05, *ends, 0.0) * 1.05


def _headline(measure: Measure, most: float) -> Markup:
    metric = measure.metric
    unit = tag("small", " %") if metric.percent else None
    return tag(
        "div",
        tag("p", tag("abbr", metric.label, title=metric.title), class_="measure"),
        tag("p", metric.number(measure.value), unit, class_="big"),
        plots.strip(measure.value, measure.low, measure.high, most),
        tag("p", _interval(measure), class_="quiet"),
    )


def _interval(measure: Measure) -> str:
    interval, number = measure.interval, measure.metric.number
    if not interval.exists:
        return "no interval"
    if not interval.informative:
        return f"an interval over {interval.groups} speakers is not informative"
    if not says_something(interval.low, interval.high):
        return "no interval: nothing varies in what was measured"
    return f"95 % interval {number(interval.low)} to {number(interval.high)}"


def short_value(measure: Measure) -> str:
    """A value as plots and titles give it, short: ``7.4 %``."""
    of = axes.show_percent if measure.metric.percent else axes.show_number
    return of(measure.value)


def _error_mix(s: Scores) -> Markup:
    parts = [
        ("substitutions", "substitute", s.edits.substitutions),
        ("deletions", "delete", s.edits.deletions),
        ("insertions", "insert", s.edits.insertions),
    ]
    return tag(
        "div",
        plots.share_bar(parts),
        tag(
            "ul",
            [
                tag("li", tag("span", class_=f"swatch {kind}"), f"{count:,} {name}")
                for name, kind, count in parts
            ],
            class_="keys",
        ),
        class_="errors",
    )


def _statement(statement: Any) -> Markup | None:
    if not statement:
        return None
    if isinstance(statement, Mapping):
        lines = [
            tag("li", tag("b", f"{key}: "), _sentence(value)) for key, value in statement.items()
        ]
    elif isinstance(statement, list | tuple):
        lines = [tag("li", _sentence(value)) for value in statement]
    else:
        return tag("p", statement, class_="statement")
    return tag("ul", lines, class_="statement")


def _sentence(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_sentence(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_sentence(item) for item in value)
    return str(value)


def rates_table(
    what: str,
    groups: Mapping[str, Scores],
    evaluations: Mapping[str, Evaluation] | None = None,
    *,
    of: str = "",
) -> Markup:
    """One row a group; the first metric's interval on a scale that all rows share.

    Args:
        what: What a row is, as ``speaker``.
        groups: The scores of each.
        evaluations: By the same names, where a row is a split: its decoding is shown too.
        of: What they are groups of, for who cannot see it: a split's name.
    """
    metrics = {m.metric.name: m.metric for s in groups.values() for m in s.shown}
    first, *others = metrics.values()
    ends = [v for s in groups.values() for v in (s.first.value, s.first.high) if not math.isnan(v)]
    most = max(ends, default=1.0) or 1.0
    columns = [first.column, "95 % interval", "", *(metric.column for metric in others)]
    columns = [what, *columns, "S", "D", "I", "utterances", "words"]
    if evaluations is not None:
        columns += ["audio", "speed"]
    rows = []
    for name, s in groups.items():
        cells = [_cells(s, first, others, most), _counts(s)]
        if evaluations is not None:
            cells.append(_decoded(evaluations[name]))
        rows.append(tag("tr", tag("th", name or "(unknown)", scope="row"), cells))
    return tables.plain(
        _heads(columns, metrics), rows, label=f"Error rates by {what}{of and f', {of}'}"
    )


def _heads(columns: Sequence[str], metrics: Mapping[str, Metric]) -> list[Markup]:
    titles = {
        "S": "substitutions",
        "D": "deletions",
        "I": "insertions",
        "speed": "seconds of audio decoded a second",
        **{metric.column: metric.title for metric in metrics.values()},
    }
    return [
        tag("th", tag("abbr", column, title=titles[column]), scope="col")
        if column in titles
        else tag("th", column or tag("span", "drawn", class_="hidden"), scope="col")
        for column in columns
    ]


def _cells(s: Scores, first: Metric, others: Sequence[Metric], most: float) -> list[Markup]:
    """The metrics of one row; a split may lack one that another has."""
    shown = s.measures.get(first.name)
    if shown is None:
        main = [tag("td", "–", class_="strong"), tag("td", "–"), tag("td", class_="drawn")]
    else:
        known = says_something(shown.low, shown.high)
        ends = f"{first.number(shown.low)} to {first.number(shown.high)}" if known else "–"
        main = [
            tag("td", first.number(shown.value), class_="strong"),
            tag("td", ends),
            tag("td", plots.strip(shown.value, shown.low, shown.high, most), class_="drawn"),
        ]
    return main + [
        tag("td", other.number(s[other.name].value) if other.name in s.measures else "–")
        for other in others
    ]


def _counts(s: Scores) -> list[Markup]:
    edits = (s.edits.substitutions, s.edits.deletions, s.edits.insertions)
    return [tag("td", f"{n:,}") for n in (*edits, s.utterances, s.words)]


def _decoded(found: Evaluation) -> list[Markup]:
    speed = "–" if math.isnan(found.speed) else f"{found.speed:,.0f} ×"
    return [tag("td", show_seconds(found.audio_seconds)), tag("td", speed)]


def show_seconds(seconds: float) -> str:
    """``4.2 s``, ``12.5 min`` or ``5.40 h``."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.2f} h"
