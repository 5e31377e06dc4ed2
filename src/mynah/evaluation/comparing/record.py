"""A comparison as data, for programs."""

from __future__ import annotations

import dataclasses
from typing import Any

from mynah.evaluation import results
from mynah.evaluation.comparing import accounts
from mynah.evaluation.comparing.paired import Difference
from mynah.evaluation.comparing.several import Compared, Pair, utterances_of
from mynah.evaluation.findings.findings import oddities_record
from mynah.evaluation.oddities.rates import oddities

COMPARISON_FORMAT = 1


def comparison_record(compared: Compared, command: str) -> dict[str, Any]:
    """All numbers of a comparison."""
    return {
        "format": COMPARISON_FORMAT,
        "command": command,
        "normalizer": compared.normalizer,
        "systems": [
            {
                "label": label,
                "name": system.name,
                **scores.summary(),
                "not_scored": list(system.not_scored),
                "wrong_in_kind": oddities_record(oddities(scores.per_utterance)),
            }
            for label, system, scores in zip(
                compared.labels, compared.systems, compared.scores, strict=True
            )
        ],
        "oracle": compared.oracle,
        "pairs": [_pair(compared, pair) for pair in compared.pairs],
        "versions": results.scoring_versions(),
    }


def _pair(compared: Compared, pair: Pair) -> dict[str, Any]:
    found = pair.comparison
    before, after = utterances_of(compared, pair.before), utterances_of(compared, pair.after)
    better, worse = accounts.words(before, after)
    return {
        "before": compared.labels[pair.before],
        "after": compared.labels[pair.after],
        "won": found.won,
        "lost": found.lost,
        "tied": found.utterances - found.won - found.lost,
        "differences": {name: _difference(one) for name, one in found.differences.items()},
        "over_utterances": None if pair.optimistic is None else _difference(pair.optimistic),
        "p_value_holm": pair.adjusted,
        "can_reject": pair.can_reject,
        "significant": pair.significant,
        "accounts": {
            what: [dataclasses.asdict(one) for one in groups]
            for what, groups in accounts.shares_of_difference(
                compared.systems[0].hypotheses, before, after
            ).items()
        },
        "words_better": [dataclasses.asdict(one) for one in better],
        "words_worse": [dataclasses.asdict(one) for one in worse],
    }


def _difference(found: Difference) -> dict[str, Any]:
    return {
        "before": found.before,
        "after": found.after,
        "difference": found.value,
        "low": found.interval.low,
        "high": found.interval.high,
        "interval": found.interval.method,
        "p_value": found.p_value,
        "test": found.test,
    }
