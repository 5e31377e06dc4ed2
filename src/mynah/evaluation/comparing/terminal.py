"""A comparison as a person reads it on a terminal."""

from __future__ import annotations

import math

from mynah import console
from mynah.evaluation import breakdown
from mynah.evaluation.comparing import accounts
from mynah.evaluation.comparing.several import (
    LEVEL,
    SPEAKERS_TO_REJECT,
    Compared,
    Pair,
    utterances_of,
)
from mynah.evaluation.groups.ways import titled
from mynah.evaluation.intervals.interval import Interval, says_something
from mynah.evaluation.score import Scores
from mynah.evaluation.summary import interval_note, with_interval

_WORDS = 5  # of each kind that are named
_PAIRS_EXPLAINED = 1


def show_comparison(compared: Compared) -> None:
    """Print the systems, every pair of them, and what that means."""
    first = compared.scores[0]
    metrics = [measure.metric for measure in first.shown]
    for note in dict.fromkeys(note for one in compared.systems for note in one.not_scored):
        console.notice(note)
    rows = []
    for label, system, scores in zip(
        compared.labels, compared.systems, compared.scores, strict=True
    ):
        edits = f"{scores.edits.substitutions}/{scores.edits.deletions}/{scores.edits.insertions}"
        cells = [with_interval(scores[metric.name]) for metric in metrics]
        rows.append([f"{label}: {system.name}", *cells, edits])
    console.table(
        f"{first.utterances:,} utterances, {first.words:,} words, text normaliser "
        f"{compared.normalizer}, 95 % intervals",
        ["system", *(metric.column for metric in metrics), "S/D/I"],
        rows,
    )
    console.say(interval_note(first))
    console.table(
        f"Differences in {metrics[0].title}, paired",
        ["pair", "points", "95 % interval", "p", "p, Holm", "won/lost/tied"],
        [_pair_row(compared, pair) for pair in compared.pairs],
    )
    for pair in compared.pairs:
        console.say(verdict(compared, pair))
    if len(compared.pairs) == _PAIRS_EXPLAINED:
        _show_groups(compared, compared.pairs[0])
        _show_words(compared, compared.pairs[0])
    unit = metrics[0]
    console.say(
        f"The best of each utterance: {unit.number(compared.oracle)} % {unit.label}, what perfect "
        "combining would give."
    )


def show_scores(scores: Scores, name: str, confusions: int) -> None:
    """Print one system's metrics, its errors and the most frequent confusions."""
    metrics = [measure.metric for measure in scores.shown]
    edits = f"{scores.edits.substitutions}/{scores.edits.deletions}/{scores.edits.insertions}"
    console.table(
        f"{scores.utterances:,} utterances, {scores.words:,} words, text normaliser "
        f"{scores.normalizer}, 95 % intervals",
        ["system", *(metric.column for metric in metrics), "S/D/I"],
        [[name, *(with_interval(measure) for measure in scores.shown), edits]],
    )
    console.say(interval_note(scores))
    console.say(f"{100 * scores.sentence_error_rate:.2f} % of the utterances have an error.")
    found = breakdown.confusions(scores.per_utterance, confusions)
    for what, pairs in (
        ("Substitutions", [(f"{a} → {b}", n) for a, b, n in found.substitutions]),
        ("Deletions", list(found.deletions)),
        ("Insertions", list(found.insertions)),
    ):
        if pairs:
            console.say(f"{what}: " + ", ".join(f"{text} ({n:,})" for text, n in pairs))


def _pair_row(compared: Compared, pair: Pair) -> list[str]:
    found = pair.comparison.first
    tied = pair.comparison.utterances - pair.comparison.won - pair.comparison.lost
    return [
        f"{compared.labels[pair.after]} - {compared.labels[pair.before]}",
        f"{100 * found.value:+.2f}",
        interval_text(found.interval),
        p_text(found.p_value),
        p_text(pair.adjusted),
        f"{pair.comparison.won:,}/{pair.comparison.lost:,}/{tied:,}",
    ]


def interval_text(interval: Interval) -> str:
    """An interval of a difference in points, or of how few speakers it would be."""
    if not interval.informative:
        return f"{interval.groups} speakers"
    if not says_something(interval.low, interval.high):
        return "–"
    return f"[{100 * interval.low:+.2f}, {100 * interval.high:+.2f}]"


def p_text(p: float) -> str:
    """A p-value in a table."""
    if math.isnan(p):
        return "–"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def verdict(compared: Compared, pair: Pair) -> str:
    """What a pair's numbers mean, in a sentence or two."""
    before, after = compared.labels[pair.before], compared.labels[pair.after]
    found = pair.comparison.first
    better, worse = (after, before) if found.better else (before, after)
    if found.value == 0:
        return f"{after} - {before}: no difference."
    if not pair.can_reject:
        assert pair.optimistic is not None
        return (
            f"{after} - {before}: {found.interval.groups} speakers cannot reject chance at "
            f"{LEVEL:.0%}, however large the difference: at least {SPEAKERS_TO_REJECT} are needed. "
            f"Over utterances, which is optimistic: p {p_text(pair.optimistic.p_value)}."
        )
    if math.isnan(pair.adjusted):
        return f"{after} - {before}: nothing can be said ({found.test})."
    if pair.significant:
        return f"{better} is better than {worse}: more than chance ({found.test})."
    return f"{better} has a better rate than {worse}, which may be chance ({found.test})."


def _show_groups(compared: Compared, pair: Pair) -> None:
    """The group of each way that adds most to the difference."""
    before, after = utterances_of(compared, pair.before), utterances_of(compared, pair.after)
    rows = []
    for name, groups in accounts.shares_of_difference(
        compared.systems[0].hypotheses, before, after
    ).items():
        first = max(groups, key=lambda one: abs(one.points))
        if first.before != first.after:
            low, high = first.change.low, first.change.high
            ends = "" if math.isnan(low) else f" [{100 * low:+.2f}, {100 * high:+.2f}]"
            mark = " *" if first.small else ""
            own = f"{100 * first.change.value:+.2f}{ends}"
            rows.append([titled(name), f"{first.name}{mark}", f"{100 * first.points:+.2f}", own])
    if rows:
        console.table(
            f"What accounts for {_name(compared, pair)}: the group of each kind that adds most; "
            "* says little: few words or speakers",
            ["by", "group", "points", "its own difference"],
            rows,
        )


def _name(compared: Compared, pair: Pair) -> str:
    return f"{compared.labels[pair.after]} - {compared.labels[pair.before]}"


def _show_words(compared: Compared, pair: Pair) -> None:
    better, worse = accounts.words(
        utterances_of(compared, pair.before), utterances_of(compared, pair.after)
    )
    for what, found in (("less", better), ("more", worse)):
        if found:
            named = ", ".join(f"{one.word} ({one.before} → {one.after})" for one in found[:_WORDS])
            console.say(f"{compared.labels[pair.after]} gets {what} often wrong: {named}")
