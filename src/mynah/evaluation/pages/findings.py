"""The page's other findings: words that training never had, terms, oddities, confusions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from mynah.evaluation.findings.confusions import Confusion
from mynah.evaluation.findings.findings import Findings
from mynah.evaluation.findings.vocabulary import WRONG_WORDS, OutOfVocabulary
from mynah.evaluation.intervals.interval import says_something
from mynah.evaluation.metrics.metric import Metric
from mynah.evaluation.oddities.rates import Oddity
from mynah.evaluation.terms.counts import TERM_METRICS, TermScores
from mynah.pages.markup import Markup, join, tag
from mynah.pages.tables import Cell, Heading, sortable

_WORDS = 100  # rows of a table of words
_CONFUSIONS = 50


def findings_section(found: Findings, *, of: str = "") -> Markup:
    """What is found beside the rates.

    Args:
        found: All of it.
        of: What it is found in, for who cannot see it: a split's name.
    """
    confusions = found.confusions[:_CONFUSIONS]
    return join(
        [
            None if found.terms is None else terms_table(found.terms, of),
            None if found.vocabulary is None else _vocabulary(found.vocabulary, of),
            tag("p", found.no_vocabulary, class_="quiet") if found.no_vocabulary else None,
            _oddities([one for one in found.oddities if one.of], of),
            _confusions(confusions, of) if confusions else None,
        ]
    )


def terms_table(found: TermScores, of: str) -> Markup:
    """Recall, precision and error rate of words that matter, and each of them."""
    rows = []
    for metric in TERM_METRICS:
        measure = found.measures[metric.name]
        value = measure.value if found.said else math.nan
        rows.append([metric.title, metric.shown(value), _ends(metric, measure.low, measure.high)])
    never = found.never_said
    counts = [
        [
            one.term,
            Cell(f"{one.said:,}", one.said),
            Cell(f"{one.found:,}", one.found),
            Cell(f"{one.missed:,}", one.missed),
            Cell(f"{one.recognized:,}", one.recognized),
        ]
        for one in found.terms[:_WORDS]
    ]
    headings = [
        Heading("term", text=True),
        Heading("said"),
        Heading("found"),
        Heading("missed"),
        Heading("recognized", title="anywhere, also where it was not said"),
    ]
    return join(
        [
            tag("h3", "Words that matter"),
            tag(
                "p",
                f"{len(found.terms):,} terms, said {found.said:,} times."
                + (f" In no reference: {', '.join(never[:20])}." if never else "")
                + (f" And {len(never) - 20:,} more." if len(never) > 20 else ""),
                class_="quiet",
            ),
            _values(rows, f"Terms{of and f', {of}'}"),
            sortable(headings, counts, label=f"Each term{of and f', {of}'}", searched=True),
        ]
    )


def _vocabulary(found: OutOfVocabulary, of: str) -> Markup:
    rows = [
        [
            name,
            WRONG_WORDS.shown(side.rate.value if side.words else math.nan),
            _ends(WRONG_WORDS, side.rate.low, side.rate.high),
            f"{side.words:,}",
        ]
        for name, side in (("in training", found.inside), ("never in training", found.outside))
    ]
    words = [
        [word, Cell(f"{said:,}", said), Cell(f"{wrong:,}", wrong)]
        for word, said, wrong in found.most_missed[:_WORDS]
    ]
    headings = [Heading("word", text=True), Heading("said"), Heading("wrong")]
    return join(
        [
            tag("h3", "Words that training never had"),
            tag(
                "p",
                f"Words of the references, by whether they are among the {found.vocabulary:,} "
                "different words of the training's transcripts; wrong is substituted or deleted.",
                class_="quiet",
            ),
            _values(rows, f"Words by training{of and f', {of}'}", "words"),
            sortable(headings, words, label=f"Words never in training{of and f', {of}'}",
                     searched=len(words) > 20)
            if words
            else None,
        ]
    )  # fmt: skip


def _oddities(found: list[Oddity], of: str) -> Markup:
    rows = [
        [
            one.name,
            f"{100 * one.rate:.2f} %",
            _between(one.low, one.high, lambda end: f"{100 * end:.2f}"),
            f"{one.count:,} of {one.of:,}",
            one.first or "–",
        ]
        for one in found
    ]
    return join(
        [
            tag("h3", "Wrong in kind"),
            _values(rows, f"Wrong in kind{of and f', {of}'}", "utterances", "the first"),
        ]
    )


def _confusions(found: Sequence[Confusion], of: str) -> Markup:
    headings = [
        Heading("said", text=True),
        Heading("recognized", text=True),
        Heading("times"),
        Heading("of", title="how often the word is said; of an insertion recognized"),
        Heading("share"),
        Heading("speakers", title="known speakers whom it happens to"),
    ]
    rows = [
        [
            one.said or "∅",
            one.recognized or "∅",
            Cell(f"{one.count:,}", one.count),
            Cell(f"{one.of:,}", one.of),
            Cell(f"{one.share:.0%}", one.share),
            Cell(f"{one.speakers:,}", one.speakers),
        ]
        for one in found
    ]
    return join(
        [
            tag("h3", "Confusions that matter"),
            tag(
                "p",
                "What happens to a word nearly every time, not what happens to a frequent word now "
                "and then; what happened once is left out.",
                class_="quiet",
            ),
            sortable(headings, rows, label=f"Confusions{of and f', {of}'}", searched=True),
        ]
    )


def _values(rows: list[list[str]], label: str, *more: str) -> Markup:
    headings = [
        Heading("", text=True), Heading("rate"), Heading("95 % interval"),
        *(Heading(name) for name in more),
    ]  # fmt: skip
    return sortable(headings, rows, label=label)


def _ends(metric: Metric, low: float, high: float) -> str:
    return _between(low, high, metric.number)


def _between(low: float, high: float, number: Callable[[float], str]) -> str:
    return f"{number(low)} to {number(high)}" if says_something(low, high) else "–"
