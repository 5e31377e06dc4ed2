"""The page's error rates: headline cards and tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mynah.evaluation.score import Scores
from mynah.pages import plots
from mynah.pages.markup import Markup, join, tag

if TYPE_CHECKING:
    from mynah.evaluation.evaluate import Evaluation


def rates_section(evaluations: Mapping[str, Evaluation], about: Mapping[str, Any]) -> Markup:
    """The headline of each split, what is said of the corpus, and the table of all splits."""
    cards = [_card(name, found.scores) for name, found in evaluations.items()]
    return join(
        [
            tag("div", cards, class_="cards"),
            _statement(about.get("statement")),
            rates_table(
                "split", {name: found.scores for name, found in evaluations.items()}, evaluations
            ),
        ]
    )


def _card(name: str, s: Scores) -> Markup:
    most = max(0.05, *(v for v in (s.wer, s.wer_high, s.cer_high) if not math.isnan(v))) * 1.05
    hours = f"{s.utterances:,} utterances, {s.words:,} words"
    return tag(
        "article",
        tag("h3", name),
        tag(
            "div",
            _headline("WER", "word error rate", s.wer, s.wer_low, s.wer_high, most),
            _headline("CER", "character error rate", s.cer, s.cer_low, s.cer_high, most),
            class_="pair",
        ),
        _error_mix(s),
        tag(
            "p",
            f"{hours}; {plots.show_percent(s.sentence_error_rate)} of the utterances have an error."
            + (f" {s.failed:,} could not be decoded and count as fully wrong." if s.failed else "")
            + (
                f" {s.empty_references:,} have an empty reference: what was heard there counts as"
                " insertions."
                if s.empty_references
                else ""
            ),
            class_="quiet",
        ),
        class_="card",
    )


def _headline(short: str, long: str, rate: float, low: float, high: float, most: float) -> Markup:
    interval = (
        "no interval" if math.isnan(low) else f"95 % interval {100 * low:.2f} to {100 * high:.2f}"
    )
    return tag(
        "div",
        tag("p", tag("abbr", short, title=long), class_="measure"),
        tag("p", f"{100 * rate:.2f}", tag("small", " %"), class_="big"),
        plots.strip(rate, low, high, most),
        tag("p", interval, class_="quiet"),
    )


def _error_mix(s: Scores) -> Markup:
    parts = [
        ("substitutions", "substitute", s.substitutions),
        ("deletions", "delete", s.deletions),
        ("insertions", "insert", s.insertions),
    ]
    return tag(
        "div",
        plots.mix(parts),
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
    what: str, groups: Mapping[str, Scores], evaluations: Mapping[str, Evaluation] | None = None
) -> Markup:
    """One row a group, with the interval drawn on a scale that all rows share."""
    highs = [v for s in groups.values() for v in (s.wer, s.wer_high) if not math.isnan(v)]
    most = max(highs, default=1.0) or 1.0
    columns = [what, "WER %", "95 % interval", "", "CER %", "S", "D", "I", "utterances", "words"]
    if evaluations is not None:
        columns += ["audio", "speed"]
    titles = {
        "S": "substitutions",
        "D": "deletions",
        "I": "insertions",
        "speed": "seconds of audio decoded a second",
    }
    rows = []
    for name, s in groups.items():
        cells = [
            tag("td", f"{100 * s.wer:.2f}" if not math.isnan(s.wer) else "–", class_="strong"),
            tag(
                "td",
                "–"
                if math.isnan(s.wer_low)
                else f"{100 * s.wer_low:.2f} to {100 * s.wer_high:.2f}",
            ),
            tag("td", plots.strip(s.wer, s.wer_low, s.wer_high, most), class_="drawn"),
            tag("td", f"{100 * s.cer:.2f}" if not math.isnan(s.cer) else "–"),
            [tag("td", f"{n:,}") for n in (s.substitutions, s.deletions, s.insertions)],
            tag("td", f"{s.utterances:,}"),
            tag("td", f"{s.words:,}"),
        ]
        if evaluations is not None:
            found = evaluations[name]
            speed = "–" if math.isnan(found.speed) else f"{found.speed:,.0f} ×"
            cells += [tag("td", show_seconds(found.audio_seconds)), tag("td", speed)]
        rows.append(tag("tr", tag("th", name or "(unknown)", scope="row"), cells))
    heads = [
        tag("th", tag("abbr", column, title=titles[column]), scope="col")
        if column in titles
        else tag("th", column or tag("span", "drawn", class_="hidden"), scope="col")
        for column in columns
    ]
    return tag(
        "div",
        tag("table", tag("thead", tag("tr", heads)), tag("tbody", rows)),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=f"Error rates by {what}",
    )


def show_seconds(seconds: float) -> str:
    """``4.2 s``, ``12.5 min`` or ``5.40 h``."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.2f} h"
