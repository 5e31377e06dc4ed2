"""The page that a person reads and listens to: one HTML file, nothing beside it needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mynah.evaluation import breakdown
from mynah.evaluation.pages.about import about_section
from mynah.evaluation.pages.before_after import before_after_section
from mynah.evaluation.pages.durations import error_rate_over_duration
from mynah.evaluation.pages.findings import findings_section
from mynah.evaluation.pages.groups import groups_section
from mynah.evaluation.pages.rates import rates_section, short_value
from mynah.evaluation.pages.training import training_section
from mynah.evaluation.pages.utterances import utterances_section
from mynah.pages.clips import MAX_BYTES, ClipBudget
from mynah.pages.document import Section, document, resource
from mynah.pages.markup import Markup, join, tag

if TYPE_CHECKING:
    from mynah.data.corpus import Corpus
    from mynah.evaluation.baseline.change import Changes
    from mynah.evaluation.evaluate import Evaluation
    from mynah.evaluation.findings.findings import Findings

_CONFUSIONS = 15


def evaluation_page(
    evaluations: Mapping[str, Evaluation],
    found: Mapping[str, Findings],
    *,
    history: Sequence[Mapping[str, Any]],
    about: Mapping[str, Any],
    corpora: Mapping[str, Corpus],
    worst: int,
    created: datetime,
    changed: Changes | None = None,
) -> str:
    """The page as text; see :func:`mynah.evaluation.report.write_evaluation`."""
    sections: list[tuple[str, str, Markup | None]] = [
        (_title(evaluations), "rates", rates_section(evaluations, about)),
        ("Before and after", "before_after", before_after_section(changed)),
        ("Training", "training", training_section(history, list(evaluations))),
    ]
    for number, (name, evaluation) in enumerate(evaluations.items()):
        title = "Where the errors are" if len(evaluations) == 1 else f"Split: {name}"
        budget = ClipBudget(MAX_BYTES // len(evaluations))
        anchor = f"split{number}"
        errors = _split(evaluation, found[name], anchor, corpora.get(name), worst, budget)
        sections.append((title, anchor, errors))
    sections.append(("About this report", "about", about_section(evaluations, about)))
    headline = "; ".join(
        f"{name} {found.scores.first.metric.label} {short_value(found.scores.first)}"
        for name, found in evaluations.items()
    )
    return document(
        title=f"Mynah evaluation: {headline}",
        heading="Evaluation report",
        created=created,
        about=_measured(about),
        sections=[Section(name, anchor, body) for name, anchor, body in sections if body],
        style=resource("mynah.evaluation.pages", "report_page.css"),
        script=resource("mynah.evaluation.pages", "report_page.js"),
    )


def _title(evaluations: Mapping[str, Evaluation]) -> str:
    measures = [m for found in evaluations.values() for m in found.scores.shown]
    return "Error rates" if all(m.metric.percent for m in measures) else "Scores"


def _measured(about: Mapping[str, Any]) -> list[Any]:
    """The model, its decoding and what it was measured on, behind the date."""
    checkpoint, decoding = about.get("checkpoint"), about.get("decoding")
    return [
        [" · checkpoint ", tag("code", checkpoint)] if checkpoint else None,
        f" · decoding: {decoding}" if decoding else None,
        [[tag("br"), f"Measured on {line}"] for line in about.get("measured_on") or ()],
        [[tag("br"), note] for note in about.get("annotations") or ()],
    ]


def _split(
    evaluation: Evaluation,
    found: Findings,
    anchor: str,
    corpus: Corpus | None,
    worst: int,
    budget: ClipBudget,
) -> Markup:
    bins = breakdown.by_duration(evaluation)
    over_time = error_rate_over_duration(bins, evaluation.scores.first)
    return join(
        [
            groups_section(found.groups, of=evaluation.name),
            tag(
                "div",
                tag("div", tag("h3", "By duration"), over_time, _overall_note(evaluation))
                if over_time
                else None,
                tag("div", tag("h3", "Most frequent errors"), _confusions(evaluation, anchor)),
                class_="columns",
            ),
            findings_section(found, of=evaluation.name),
            utterances_section(evaluation, anchor, corpus, worst, budget),
        ]
    )


def _overall_note(evaluation: Evaluation) -> Markup:
    rate = short_value(evaluation.scores.first)
    return tag(
        "p",
        f"Utterances in bins of about equal number, with 95 % intervals. Dashed: {rate}, the"
        " full split.",
        class_="quiet",
    )


def _confusions(evaluation: Evaluation, anchor: str) -> Markup:
    found = breakdown.confusions(evaluation.scores.per_utterance, _CONFUSIONS)
    kinds: list[tuple[str, str, list[tuple[str, int]]]] = [
        ("Substitutions", "substitute", [(f"{a} → {b}", n) for a, b, n in found.substitutions]),
        ("Deletions", "delete", [(f"{a} → ∅", n) for a, n in found.deletions]),
        ("Insertions", "insert", [(f"∅ → {b}", n) for b, n in found.insertions]),
    ]
    if not any(rows for _, _, rows in kinds):
        return tag("p", "None: every word is right.")
    return tag(
        "div",
        [
            tag(
                "div",
                tag("h4", tag("span", class_=f"swatch {kind}"), title),
                tag(
                    "ol",
                    [
                        tag(
                            "li",
                            tag(
                                "button",
                                tag("span", text, dir="auto"),
                                tag("span", f"{count:,}", class_="count"),
                                type="button",
                                data_filter=text,
                                data_for=anchor,
                                title="Show the utterances with this error",
                            ),
                        )
                        for text, count in rows
                    ],
                )
                if rows
                else tag("p", "none", class_="quiet"),
            )
            for title, kind, rows in kinds
        ],
        class_="confusions",
    )
