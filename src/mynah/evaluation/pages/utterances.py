"""The page's utterances: aligned reference and hypothesis, players, search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mynah import console
from mynah.evaluation import breakdown
from mynah.evaluation.hypothesis import Hypothesis
from mynah.evaluation.pages.controls import utterance_controls
from mynah.evaluation.score import UtteranceScore
from mynah.pages.aligned import aligned, legend, spoken
from mynah.pages.clips import ClipBudget, player
from mynah.pages.markup import Markup, join, tag

if TYPE_CHECKING:
    from mynah.data.corpus import Corpus
    from mynah.evaluation.evaluate import Evaluation
    from mynah.evaluation.n_best.rates import RankedHypothesis

_LISTED = 1000  # utterances of a split on the page; all of them are in utterances.jsonl
_ORDERS = {
    "edits": "most errors",
    "rate": "highest error rate",
    "seconds": "longest",
    "row": "order of the corpus",
}


def utterances_section(
    evaluation: Evaluation, anchor: str, corpus: Corpus | None, worst: int, budget: ClipBudget
) -> Markup:
    """The utterances, the worst first, the ``worst`` first of them with a player."""
    order = breakdown.worst_first(evaluation)
    listed = order[:_LISTED]
    players = (
        _players(corpus, listed[:worst], budget, evaluation.name) if corpus is not None else {}
    )
    several = evaluation.n_best.lists if evaluation.n_best is not None else ()
    cards = [
        _utterance(
            evaluation.hypotheses[row],
            evaluation.scores.per_utterance[row],
            row,
            players.get(row),
            several[row] if several else (),
        )
        for row in listed
    ]
    if len(listed) < len(order):
        said = f"The worst {len(listed):,} of {len(order):,}; all are in utterances.jsonl."
    else:
        said = f"All {len(order):,}, the worst first."
    if 0 < len(players) < len(listed):
        said += (
            f" The first {len(players):,} have a player, so that the page stays small: "
            "evaluation.report_utterances sets how many."
        )
    return join(
        [
            tag("h3", "Utterances"),
            tag("p", said, class_="quiet"),
            legend(),
            utterance_controls(
                anchor,
                searched="speaker or error",
                example="five → nine",
                orders=_ORDERS,
                only="errors",
            ),
            tag("div", cards, class_="utterances", id=f"{anchor}-utterances"),
        ]
    )


def _utterance(
    hypothesis: Hypothesis,
    row: UtteranceScore,
    position: int,
    recording: Markup | None,
    several: Sequence[RankedHypothesis],
) -> Markup:
    errors = [
        f"{word.reference or '∅'} → {word.hypothesis or '∅'}"
        for word in row.alignment
        if word.operation != "equal"
    ]
    speaker = hypothesis.speaker
    facts = [
        hypothesis.id,
        speaker and f"speaker {speaker}",
        f"{hypothesis.duration_seconds:.1f} s",
    ]
    rate = row.rate
    return tag(
        "article",
        tag(
            "header",
            tag("strong", _count(row)),
            tag("span", " · ".join(fact for fact in facts if fact), class_="quiet"),
            recording,
        ),
        tag("p", f"Not decoded: {hypothesis.error}", class_="failure")
        if hypothesis.error
        else None,
        spoken(hypothesis.reference, hypothesis.text),
        aligned(row.alignment),
        _n_best(several) if several else None,
        class_="utterance",
        data_edits=row.errors,
        data_rate=999 if math.isnan(rate) else round(rate, 4),
        data_seconds=round(hypothesis.duration_seconds, 3),
        data_row=position,
        data_errors="\n".join(errors) or None,
    )


def _n_best(several: Sequence[RankedHypothesis]) -> Markup:
    """What else a beam wrote, folded away, the likeliest first."""
    return tag(
        "details",
        tag("summary", "1 hypothesis" if len(several) == 1 else f"{len(several)} hypotheses"),
        tag("ol", [tag("li", _ranked(one)) for one in several]),
        class_="n-best",
    )


def _ranked(one: RankedHypothesis) -> list[Markup | str]:
    facts = [
        "1 error" if one.errors == 1 else f"{one.errors} errors",
        "" if one.log_probability is None else f"log probability {one.log_probability:.2f}",
        "oracle" if one.is_oracle else "",
        "chosen by the language model" if one.is_rescored else "",
    ]
    return [
        tag("span", one.text or "∅", dir="auto"),
        " ",
        tag("span", " · ".join(fact for fact in facts if fact), class_="quiet"),
    ]


def _count(row: UtteranceScore) -> str:
    errors = "1 error" if row.errors == 1 else f"{row.errors} errors"
    words = "1 word" if row.words == 1 else f"{row.words} words"
    return f"{errors} in {words}" if row.wrong else f"{words}, all right"


def _players(
    corpus: Corpus, rows: Sequence[int], budget: ClipBudget, name: str
) -> dict[int, Markup]:
    """A player for each row, or why there is none."""
    players = {}
    with console.progress(f"recordings for the report of {name}", len(rows), "clips") as done:
        for row in rows:
            players[row] = player(corpus, row, budget)
            done()
    return players
