"""What tuning changed, as data: ``before_after`` of ``results.json``."""

from __future__ import annotations

from typing import Any

from mynah.evaluation.baseline.change import Changes, Rates, SetChange
from mynah.evaluation.comparing.paired import Difference


def changes_record(found: Changes) -> dict[str, Any]:
    """All numbers of a comparison with the base."""
    return {
        "base": found.before.base,
        "decoding": found.before.decoding,
        "splits": {one.name: _set(found, one) for one in found.sets if not one.guard},
        "guards": {one.name: _set(found, one) for one in found.guards},
        "guard_means": {
            normalizer: {"base": before, "tuned": after, "difference": after - before}
            for normalizer, before, after in found.guard_means()
        },
    }


def _set(found: Changes, one: SetChange) -> dict[str, Any]:
    measured = (found.before.guards if one.guard else found.before.splits)[one.name]
    return {
        "utterances": len(one.base),
        "of": one.of,
        "base_seconds": measured.seconds,
        "base_kept": measured.kept,
        "corpus_fingerprint": measured.corpus.fingerprint,
        "as_scored": _rates(one.as_scored),
        "one_notation": None if one.one_notation is None else _rates(one.one_notation),
        "texts": [
            {"id": old.id, "reference": old.reference, "base": old.text, "tuned": new.text}
            for old, new in zip(one.base, one.tuned, strict=True)
        ],
    }


def _rates(rates: Rates) -> dict[str, Any]:
    return {
        "normalizer": rates.normalizer,
        "won": rates.comparison.won,
        "lost": rates.comparison.lost,
        "metrics": {name: _difference(one) for name, one in rates.comparison.differences.items()},
    }


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "base": one.before,
        "tuned": one.after,
        "difference": one.value,
        "low": one.interval.low,
        "high": one.interval.high,
        "interval": one.interval.method,
        "informative": one.interval.informative,
        "p_value": one.p_value,
        "test": one.test,
    }
