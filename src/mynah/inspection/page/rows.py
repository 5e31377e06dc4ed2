"""The page's utterances: those that look wrong, those a model disagrees with, and a sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mynah.inspection.disagreement import MORE_THAN_USUAL, Disagreement
from mynah.inspection.inspect import SplitInspection
from mynah.inspection.page.recordings import recordings
from mynah.inspection.suspicions import Suspicion, by_row
from mynah.pages import tables
from mynah.pages.aligned import aligned, legend, spoken
from mynah.pages.clips import ClipBudget
from mynah.pages.markup import Markup, join, tag

_LISTED = 40  # rows of a kind on the page; more are in inspection.json
_PLAYED = 12  # of them with a recording
_DISAGREEING, _DISAGREEING_PLAYED = 60, 30
_SAMPLE = 12
_SAMPLE_SEED = 0
_LONGEST_TEXT = 320  # characters of a transcript on the page


def suspicious_section(
    split: SplitInspection, anchor: str, budget: ClipBudget, record: str, threads: int
) -> Markup | None:
    """The rows that look wrong, by kind, the worst first; None where there is none."""
    found = split.suspicions
    if not found:
        return None
    listed = _in_turn([suspicion.rows[:_LISTED].tolist() for suspicion in found])
    played = _in_turn([suspicion.rows[:_PLAYED].tolist() for suspicion in found])
    clips = recordings(split.corpus, played, budget, threads=threads)
    reasons = by_row(found)
    total = len(split.suspicious_rows)
    said = f"{total:,} of {len(split.rows):,} rows."
    if len(listed) < total:
        said += f" The worst {_LISTED} of each kind are here, more of them in {record}."
    cards = _cards(
        split,
        listed,
        clips,
        lambda row: join([_reason(one, row) for one in reasons[row]]),
        lambda row: " ".join(one.kind.key for one in reasons[row]),
    )
    return join(
        [
            tag("p", said, class_="quiet"),
            _kinds(found),
            _controls(anchor, found),
            tag("div", cards, class_="utterances", id=f"{anchor}-rows"),
        ]
    )


def disagreement_section(
    split: SplitInspection,
    found: Disagreement,
    budget: ClipBudget,
    record: str,
    threads: int,
) -> Markup:
    """Rows where the model recognizes something else than the transcript says."""
    scores = found.evaluation.scores
    order = [int(at) for at in found.order[:_DISAGREEING] if scores.per_utterance[int(at)].wrong]
    rows = [int(found.rows[at]) for at in order]
    clips = recordings(split.corpus, rows[:_DISAGREEING_PLAYED], budget, threads=threads)
    cards = []
    for row, at in zip(rows, order, strict=True):
        score = scores.per_utterance[at]
        facts = [*_facts(split, row), f"{found.excess[at]:+.1f} deviations"]
        rate = "nothing to say"
        if score.characters:
            rate = f"{score.character_errors / score.characters:.0%} of the characters wrong"
        cards.append(
            tag(
                "article",
                tag(
                    "header",
                    tag("strong", rate),
                    tag("span", " · ".join(facts), class_="quiet"),
                ),
                clips.get(row),
                tag("p", f"Not decoded: {score.error}", class_="failure") if score.error else None,
                spoken(score.reference, score.hypothesis),
                aligned(score.alignment),
                class_="utterance",
            )
        )
    return join(
        [
            tag(
                "p",
                f"{scores.unit.title.capitalize()} {scores.error_rate:.1%} on {len(found.rows):,} "
                f"utterances (text normaliser {scores.normalizer}). Of them {found.striking:,} "
                f"have more character errors than that rate explains ({MORE_THAN_USUAL:.0f} "
                f"standard deviations): read their transcripts first. All are in {record}.",
                class_="quiet",
            ),
            tag(
                "p",
                "A model that is wrong so often says little of the transcripts.",
                class_="quiet",
            )
            if found.is_weak
            else None,
            legend() if cards else None,
            tag("div", cards, class_="utterances") if cards else tag("p", "None: all are right."),
        ]
    )


def sample_section(split: SplitInspection, budget: ClipBudget, threads: int) -> Markup:
    """A few rows sampled at random, which show what the corpus is like."""
    count = len(split.rows)
    sampled = np.random.default_rng(_SAMPLE_SEED).permutation(count)[:_SAMPLE]
    rows = np.sort(sampled).tolist()
    clips = recordings(split.corpus, rows, budget, threads=threads)
    cards = _cards(split, rows, clips, lambda row: None, lambda row: "")
    return tag("div", cards, class_="utterances")


def _cards(
    split: SplitInspection,
    rows: Sequence[int],
    clips: Mapping[int, Markup],
    reasons: Callable[[int], Markup | None],
    kinds: Callable[[int], str],
) -> list[Markup]:
    return [
        tag(
            "article",
            tag(
                "header",
                reasons(row),
                tag("span", " · ".join(_facts(split, row)), class_="quiet"),
            ),
            clips.get(row),
            tag("p", _text(split, row), class_="said", dir="auto"),
            class_="utterance",
            data_kinds=kinds(row) or None,
        )
        for row in rows
    ]


def _facts(split: SplitInspection, row: int) -> list[str]:
    table = split.rows
    rate = table.characters_a_second[row]
    speaker, language = table.speakers[row], table.languages[row]
    facts = [split.corpus.ids[row]]
    if speaker:
        facts.append(f"speaker {speaker}")
    if language and len(table.languages.names) > 1:
        facts.append(language)
    facts.append(f"{table.durations[row]:.1f} s")
    if np.isfinite(rate):
        facts.append(f"{rate:.1f} characters/s")
    return facts


def _text(split: SplitInspection, row: int) -> Markup:
    text = split.corpus.texts[row]
    if not text.strip():
        return tag("span", "(no transcript)", class_="quiet")
    if len(text) > _LONGEST_TEXT:
        return join([text[:_LONGEST_TEXT], " … ", tag("span", f"({len(text):,} characters)")])
    return join([text])


def _reason(suspicion: Suspicion, row: int) -> Markup:
    detail = suspicion.describe(row)
    return tag(
        "span",
        tag("strong", suspicion.kind.title),
        f" {detail}" if detail else None,
        class_="reason",
        title=suspicion.kind.why,
    )


def _kinds(found: Sequence[Suspicion]) -> Markup:
    rows = [
        tag(
            "tr",
            tag("th", one.kind.title, scope="row"),
            tag("td", f"{len(one):,}", class_="strong"),
            tag("td", one.kind.why, class_="text"),
        )
        for one in found
    ]
    heads = [
        tag("th", "what", scope="col"),
        tag("th", "rows", scope="col"),
        tag("th", "why", scope="col", class_="text"),
    ]
    return tables.plain(heads, rows, label="What looks wrong, counted")


def _controls(anchor: str, found: Sequence[Suspicion]) -> Markup:
    options = [tag("option", "all kinds", value="")] + [
        tag("option", one.kind.title, value=one.kind.key) for one in found
    ]
    return tag(
        "form",
        tag("label", "Show ", tag("select", options)),
        tag(
            "label",
            "Search ",
            tag("input", type="search", placeholder="text, id, speaker", autocomplete="off"),
        ),
        tag("output", "", aria_live="polite"),
        class_="controls",
        data_rows=f"{anchor}-rows",
        hidden=True,
    )


def _in_turn(lists: Sequence[Sequence[int]]) -> list[int]:
    """The first of each, then the second of each, and so on; each once."""
    longest = max(map(len, lists), default=0)
    return list(dict.fromkeys(one[at] for at in range(longest) for one in lists if at < len(one)))
