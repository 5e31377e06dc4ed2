"""The page of a comparison: who is better, why, and the hypotheses side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from mynah.evaluation.comparing import accounts
from mynah.evaluation.comparing.accounts import Share, WordShare
from mynah.evaluation.comparing.recordings import Recordings
from mynah.evaluation.comparing.several import Compared, Pair, utterances_of
from mynah.evaluation.comparing.system import System
from mynah.evaluation.comparing.terminal import interval_text, p_text, verdict
from mynah.evaluation.groups.ways import titled
from mynah.evaluation.pages.controls import utterance_controls
from mynah.evaluation.pages.rates import rates_table
from mynah.evaluation.score import Scores, UtteranceScore
from mynah.pages.aligned import aligned, legend, spoken
from mynah.pages.clips import ClipBudget, address_player, file_player
from mynah.pages.document import Section, document, resource
from mynah.pages.markup import Markup, join, tag
from mynah.pages.tables import Cell, Heading, sortable

_LISTED = 1000  # utterances on the page: those in which the systems differ most
_WORDS = 200  # rows of a table of words
_GROUPS = 200  # rows of a table of speakers
_ANCHOR = "compared"
_ORDERS = {
    "edits": "largest difference",
    "gain": "the last better",
    "loss": "the first better",
    "seconds": "longest",
    "row": "order of the corpus",
}


def comparison_page(
    compared: Compared,
    command: str,
    recordings: Recordings | None = None,
    players: int = 50,
) -> str:
    """The page as text.

    Args:
        compared: The systems.
        command: That made it.
        recordings: Of utterances, where they were found.
        players: How many utterances get one, those that differ most first.
    """
    names = {f"{label}: {system.name}": scores for label, system, scores in _systems(compared)}
    sections = [
        Section("Error rates", "rates", rates_table("system", names)),
        Section("Differences", "pairs", _pairs(compared)),
    ]
    for number, pair in enumerate(compared.pairs):
        title = "What accounts for it"
        if len(compared.pairs) > 1:
            title += f": {_name(compared, pair)}"
        sections.append(Section(title, f"accounts{number}", _accounts(compared, pair)))
    sections += [
        Section(
            "Side by side", "utterances", _utterances(compared, recordings or Recordings(), players)
        ),
        Section("About this page", "about", _about(compared, command)),
    ]
    return document(
        title=f"Mynah comparison: {', '.join(one.name for one in compared.systems)}",
        heading="Comparison",
        created=datetime.now(UTC),
        about=[f" · text normaliser {compared.normalizer}"],
        sections=sections,
        style=resource("mynah.evaluation.pages", "report_page.css"),
        script=resource("mynah.evaluation.pages", "report_page.js")
        + resource("mynah.evaluation.pages", "comparison_page.js"),
    )


def _systems(compared: Compared) -> Iterator[tuple[str, System, Scores]]:
    return zip(compared.labels, compared.systems, compared.scores, strict=True)


def _name(compared: Compared, pair: Pair) -> str:
    return f"{compared.labels[pair.after]} - {compared.labels[pair.before]}"


def _pairs(compared: Compared) -> Markup:
    headings = [
        Heading("pair", text=True),
        Heading("points", title="difference of the error rates, in percentage points"),
        Heading("95 % interval"),
        Heading("p"),
        Heading("p, Holm", title="corrected for the number of pairs"),
        Heading("won"),
        Heading("lost"),
        Heading("tied"),
    ]
    rows = []
    for pair in compared.pairs:
        found, first = pair.comparison, pair.comparison.first
        rows.append(
            [
                _name(compared, pair),
                Cell(f"{100 * first.value:+.2f}", first.value),
                interval_text(first.interval),
                Cell(p_text(first.p_value), _number(first.p_value)),
                Cell(p_text(pair.adjusted), _number(pair.adjusted)),
                Cell(f"{found.won:,}", found.won),
                Cell(f"{found.lost:,}", found.lost),
                Cell(f"{found.utterances - found.won - found.lost:,}"),
            ]
        )
    said = [tag("li", verdict(compared, pair)) for pair in compared.pairs]
    metric = compared.scores[0].first.metric
    oracle = f"The best of each utterance: {metric.shown(compared.oracle)} {metric.label}, "
    said.append(tag("li", f"{oracle}what perfect combining would give."))
    return join([tag("ul", said, class_="statement"), sortable(headings, rows, label="pairs")])


def _points(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:+.2f}"


def _number(value: float) -> float | str:
    return value if value == value else ""


def _accounts(compared: Compared, pair: Pair) -> Markup:
    before, after = utterances_of(compared, pair.before), utterances_of(compared, pair.after)
    name = _name(compared, pair)
    parts: list[Markup] = [
        tag(
            "p",
            "* marks a group of few words or speakers, whose own difference says little.",
            class_="quiet",
        )
    ]
    for what, groups in accounts.shares_of_difference(
        compared.systems[0].hypotheses, before, after
    ).items():
        parts += [tag("h4", f"By {titled(what)}"), _shares(compared, pair, what, groups, name)]
    better, worse = accounts.words(before, after)
    last = compared.labels[pair.after]
    for found, which in ((better, "less"), (worse, "more")):
        parts.append(tag("h3", f"Words that {last} gets {which} often wrong"))
        parts.append(
            _words(compared, pair, found, f"{name}, {which} often")
            if found
            else tag("p", "None.", class_="quiet")
        )
    return tag("div", parts, class_="groups")


def _shares(
    compared: Compared, pair: Pair, what: str, groups: Sequence[Share], name: str
) -> Markup:
    headings = [
        Heading(titled(what), text=True),
        Heading("points", title="what it adds to the difference; all add up to it"),
        Heading("its own", title="difference of the group's own error rates, in points"),
        Heading("95 % interval", title="paired, of the group's own difference"),
        Heading(f"errors {compared.labels[pair.before]}"),
        Heading(f"errors {compared.labels[pair.after]}"),
        Heading("words"),
        Heading("utterances"),
        Heading("over", title="what the interval is over"),
    ]
    rows = [
        [
            f"{one.name} *" if one.small else one.name,
            Cell(f"{100 * one.points:+.2f}", one.points),
            Cell(_points(one.change.value), _number(one.change.value)),
            Cell(
                "–"
                if math.isnan(one.change.low)
                else f"{_points(one.change.low)} to {_points(one.change.high)}",
                _number(one.change.low),
            ),
            Cell(f"{one.before:,}", one.before),
            Cell(f"{one.after:,}", one.after),
            Cell(f"{one.words:,}", one.words),
            Cell(f"{one.utterances:,}", one.utterances),
            one.over,
        ]
        for one in groups[:_GROUPS]
    ]
    return sortable(headings, rows, label=f"{name} by {what}", searched=len(rows) > 20)


def _words(compared: Compared, pair: Pair, found: Sequence[WordShare], label: str) -> Markup:
    headings = [
        Heading("word", text=True),
        Heading("said"),
        Heading(f"wrong by {compared.labels[pair.before]}"),
        Heading(f"wrong by {compared.labels[pair.after]}"),
        Heading("change"),
    ]
    rows = [
        [
            one.word,
            Cell(f"{one.said:,}", one.said),
            Cell(f"{one.before:,}", one.before),
            Cell(f"{one.after:,}", one.after),
            Cell(f"{one.change:+,}", one.change),
        ]
        for one in found[:_WORDS]
    ]
    return sortable(headings, rows, label=label, searched=len(rows) > 20)


def _utterances(compared: Compared, recordings: Recordings, players: int) -> Markup:
    together = list(zip(*(scores.per_utterance for scores in compared.scores), strict=True))
    errors = [[row.errors for row in rows] for rows in together]
    differing = [row for row, rows in enumerate(together) if _differ(rows)]
    order = sorted(differing, key=lambda row: (min(errors[row]) - max(errors[row]), row))
    listed = order[:_LISTED]
    said = f"{len(differing):,} of {len(together):,} utterances in which they differ"
    if len(listed) < len(differing):
        said += f"; the {len(listed):,} with the largest differences"
    clips = _players(compared, listed, recordings, players)
    return join(
        [
            tag(
                "p",
                f"{said}. j and k go to the next and the one before, p plays it. "
                f"{_said_of_players(len(clips), len(listed), bool(recordings))}",
                class_="quiet",
            ),
            legend(),
            utterance_controls(
                _ANCHOR,
                searched="speaker or id",
                example="seven",
                orders=_ORDERS,
                only="other counts of errors",
            ),
            tag(
                "div",
                [_utterance(compared, row, clips.get(row)) for row in listed],
                class_="utterances",
                id=f"{_ANCHOR}-utterances",
            ),
        ]
    )


def _differ(rows: Sequence[UtteranceScore]) -> bool:
    return len({row.hypothesis for row in rows}) > 1


def _players(
    compared: Compared, rows: Sequence[int], recordings: Recordings, most: int
) -> dict[int, Markup]:
    """A player for each of the first rows whose recording was found."""
    found: dict[int, Markup] = {}
    budget = ClipBudget()
    for row in rows:
        if len(found) == most:
            break
        name = compared.systems[0].hypotheses[row].id
        if name in recordings.files:
            found[row] = file_player(recordings.files[name], name, budget)
        elif name in recordings.addresses:
            found[row] = address_player(recordings.addresses[name], name, budget)
    return found


def _said_of_players(players: int, listed: int, found_any: bool) -> str:
    if not found_any:
        return "No recordings were found: --audio FOLDER names where they lie."
    if players == listed:
        return ""
    return (
        f"{players:,} have a player: recordings of the runs' worst utterances, or of --audio "
        "FOLDER, at most as many as --players sets, so that the page stays small."
    )


def _utterance(compared: Compared, row: int, recording: Markup | None) -> Markup:
    hypothesis = compared.systems[0].hypotheses[row]
    rows = [scores.per_utterance[row] for scores in compared.scores]
    errors = [one.errors for one in rows]
    seconds = hypothesis.duration_seconds
    facts = [hypothesis.id, hypothesis.speaker and f"speaker {hypothesis.speaker}"]
    facts += [f"{seconds:.1f} s"] if seconds else []
    made = []
    for label, system, one in zip(compared.labels, compared.systems, rows, strict=True):
        count = "1 error" if one.errors == 1 else f"{one.errors} errors"
        made += [
            tag("p", tag("strong", label), f" {count}", class_="quiet"),
            spoken(hypothesis.reference, system.hypotheses[row].text),
            aligned(one.alignment),
        ]
    return tag(
        "article",
        tag(
            "header",
            tag("span", " · ".join(fact for fact in facts if fact), class_="quiet"),
            recording,
        ),
        made,
        class_="utterance",
        tabindex="-1",
        data_edits=max(errors) - min(errors),
        data_gain=errors[0] - errors[-1],
        data_loss=errors[-1] - errors[0],
        data_seconds=round(seconds, 3),
        data_row=row,
        data_errors="differs" if len(set(errors)) > 1 else None,
    )


def _about(compared: Compared, command: str) -> Markup:
    lines = [
        f"All texts were scored again with {compared.normalizer}, whatever they were scored with"
        " before.",
        "Everything is paired: the systems are compared utterance by utterance, and where speakers"
        " are known, speaker by speaker, since what one speaker says is wrong together. Below 30"
        " speakers the interval and the test are a jackknife-t, else a percentile bootstrap and a"
        " permutation test (Noreen 1989).",
        "Holm's correction (1979) keeps the chance of one false difference among all pairs at 5 %.",
        "Fewer than 6 speakers cannot reject chance at 5 %; a test over utterances takes those of"
        " one speaker for independent, and finds differences that are none.",
        *dict.fromkeys(f"{note}." for one in compared.systems for note in one.not_scored),
    ]
    return join(
        [
            tag("h3", "How it was compared"),
            tag("ul", [tag("li", line) for line in lines]),
            tag("h3", "Compare again"),
            tag("pre", tag("code", command), tabindex="0"),
        ]
    )
