"""What is found in evaluations, on a terminal in short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mynah import console
from mynah.evaluation.findings.findings import Findings
from mynah.evaluation.findings.vocabulary import WRONG_WORDS, OutOfVocabulary
from mynah.evaluation.groups.shown import show_groups, shown_value
from mynah.evaluation.oddities.rates import Oddity
from mynah.evaluation.terms.shown import show_terms


def show_findings(by_split: Mapping[str, Findings]) -> None:
    """Print what is found in each split: its groups, words apart, terms, oddities."""
    for name, found in by_split.items():
        if len(by_split) > 1:
            console.say(f"{name}:")
        show_groups(found.groups)
        if found.vocabulary is not None:
            show_vocabulary(found.vocabulary)
        if found.no_vocabulary:
            console.notice(found.no_vocabulary)
        show_oddities(found.oddities)
    terms = {name: found.terms for name, found in by_split.items() if found.terms is not None}
    if terms:
        show_terms(terms)


def show_vocabulary(found: OutOfVocabulary) -> None:
    """Print the error rates of words that training had, and of those that it never had."""
    if not found.outside.words:
        console.say("Every word of the references was in training.")
        return
    inside, outside = (
        f"{shown_value(side.rate, WRONG_WORDS)} % of {side.words:,}"
        for side in (found.inside, found.outside)
    )
    console.say(f"Words wrong: {outside} that were never in training, {inside} that were.")


def show_oddities(found: Sequence[Oddity]) -> None:
    """Print how many hypotheses are wrong in kind, with the first of each."""
    odd = [one for one in found if one.count]
    if odd:
        named = (f"{one.count:,} {one.name} ({one.rate:.1%}; {one.first})" for one in odd)
        console.say(f"Wrong in kind: {', '.join(named)}")
