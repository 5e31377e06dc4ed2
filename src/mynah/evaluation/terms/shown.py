"""Scores of terms for people and for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from mynah import console
from mynah.evaluation.summary import with_interval
from mynah.evaluation.terms.counts import TERM_METRICS, TermScores

_WORST = 8


def show_terms(by_system: Mapping[str, TermScores]) -> None:
    """Print recall, precision and error rate of each system, and the terms missed most often."""
    first = next(iter(by_system.values()))
    said = first.said
    console.table(
        f"{len(first.terms):,} terms, said {said:,} times, 95 % intervals",
        ["system", *(metric.column for metric in TERM_METRICS)],
        [
            [name, *(with_interval(found.measures[metric.name]) for metric in TERM_METRICS)]
            for name, found in by_system.items()
        ],
    )
    for name, found in by_system.items():
        worst = [one for one in found.terms if one.missed][:_WORST]
        if worst:
            listed = ", ".join(f"{one.term} ({one.missed} of {one.said})" for one in worst)
            console.say(f"{name} misses most often: {listed}")
    if first.never_said:
        named = ", ".join(first.never_said[:_WORST])
        console.say(f"{len(first.never_said):,} terms are in no reference: {named}")


def terms_record(found: TermScores) -> dict[str, Any]:
    """The numbers of one system."""
    numbers: dict[str, Any] = {}
    for measure in found.measures.values():
        numbers |= measure.numbers
    counts = [dataclasses.asdict(one) | {"recall": one.recall} for one in found.terms]
    return {**numbers, "counts": counts}
