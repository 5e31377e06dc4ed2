"""An evaluation as data: ``results.json`` and ``utterances.jsonl``."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from mynah.evaluation import breakdown
from mynah.evaluation.baseline.record import changes_record
from mynah.evaluation.findings.findings import findings_record
from mynah.evaluation.intervals.interval import CONFIDENCE
from mynah.machine import __version__

if TYPE_CHECKING:
    from mynah.evaluation.baseline.change import Changes
    from mynah.evaluation.evaluate import Evaluation
    from mynah.evaluation.findings.findings import Findings
    from mynah.evaluation.score import Measure, UtteranceScore

RESULTS_FORMAT = 2  # of both files; raised when a field changes its meaning
_PACKAGES = (
    "torch",
    "transformers",
    "peft",
    "datasets",
    "rapidfuzz",
    "whisper-normalizer",
    "numpy",
    "sacrebleu",
)
_CONFUSIONS = 100


def results(
    evaluations: Mapping[str, Evaluation],
    found: Mapping[str, Findings],
    *,
    history: Sequence[Mapping[str, Any]],
    about: Mapping[str, Any],
    created: datetime,
    changed: Changes | None = None,
) -> dict[str, Any]:
    """All numbers of a run's evaluations, and what one needs to know to believe them.

    ``schemas/results-2.json`` says what is in them.
    """
    return {
        "format": RESULTS_FORMAT,
        "created": created.isoformat(timespec="seconds"),
        "statement": about.get("statement"),
        "evaluations": {name: _numbers(one, found[name]) for name, one in evaluations.items()},
        "before_after": None if changed is None else changes_record(changed),
        "history": list(history),
        "versions": scoring_versions(),
        "about": dict(about),
    }


def utterance_records(evaluations: Mapping[str, Evaluation]) -> Iterator[dict[str, Any]]:
    """One record for each utterance of each split, in the corpus's order."""
    for name, evaluation in evaluations.items():
        rows = evaluation.scores.per_utterance
        for hypothesis, row in zip(evaluation.hypotheses, rows, strict=True):
            yield {
                "split": name,
                "id": row.id,
                "speaker": hypothesis.speaker,
                "language": hypothesis.language,
                "duration_seconds": hypothesis.duration_seconds,
                "columns": dict(hypothesis.columns),
                "measured": dict(hypothesis.measured),
                "reference": hypothesis.reference,
                "hypothesis": hypothesis.text,
                "reference_normalized": row.reference,
                "hypothesis_normalized": row.hypothesis,
                **evaluation.scores.values_of(row),
                "words": row.words,
                **row.edits._asdict(),
                **_details(evaluation, row),
                "alignment": [list(word) for word in row.alignment],
                "word_times": _times(hypothesis.word_times),
                "error": hypothesis.error,
            }


def scoring_versions() -> dict[str, str]:
    """Versions of what decides a score."""
    found = {"mynah": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def to_json(value: Any, *, indent: int | None = None) -> str:
    """JSON that any reader takes: a number that is not defined is null, a path its text."""
    return json.dumps(
        _defined(value), indent=indent, ensure_ascii=False, allow_nan=False, default=str
    )


def _numbers(evaluation: Evaluation, found: Findings) -> dict[str, Any]:
    scores = evaluation.scores
    confused = breakdown.confusions(scores.per_utterance, _CONFUSIONS)
    return {
        **scores.summary(),
        "metrics": {name: _measure(one) for name, one in scores.measures.items()},
        "best_metric": scores.best,
        "errors_in": scores.unit.name,
        "normalizer": scores.normalizer,
        "bootstrap": {
            "method": "percentile, utterances resampled with replacement",
            "confidence": CONFIDENCE,
            "samples": scores.bootstrap_samples,
            "seed": scores.bootstrap_seed,
        },
        "corpus_fingerprint": evaluation.corpus_fingerprint,
        "audio_seconds": evaluation.audio_seconds,
        "decoding_seconds": evaluation.seconds,
        "audio_seconds_per_second": evaluation.speed,
        **({} if evaluation.n_best is None else {"n_best": evaluation.n_best.record}),
        **findings_record(found),
        "confusions": {
            "substitutions": confused.substitutions,
            "deletions": confused.deletions,
            "insertions": confused.insertions,
        },
        "failures": [
            {"id": hypothesis.id, "error": hypothesis.error}
            for hypothesis in evaluation.hypotheses
            if hypothesis.error is not None
        ],
        "cut": [hypothesis.id for hypothesis in evaluation.hypotheses if hypothesis.is_cut],
    }


def _measure(measure: Measure) -> dict[str, Any]:
    """One metric with both of its intervals: what it takes to show and compare it."""
    metric = measure.metric
    intervals = {"utterances": measure.by_utterance, "speakers": measure.by_speaker}
    return {
        "label": metric.label,
        "title": metric.title,
        "version": metric.version,
        "greater_is_better": metric.greater_is_better,
        "percent": metric.percent,
        "value": measure.value,
        "low": measure.low,
        "high": measure.high,
        "intervals": {
            name: None
            if found is None
            else {
                "low": found.low,
                "high": found.high,
                "method": found.method,
                "informative": found.informative,
            }
            for name, found in intervals.items()
        },
    }


def _times(found: Sequence[tuple[float, float]] | None) -> list[list[float]] | None:
    """Seconds to the millisecond."""
    return None if found is None else [[round(end, 3) for end in word] for word in found]


def _details(evaluation: Evaluation, row: UtteranceScore) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, statistics in row.statistics.items():
        found |= evaluation.scores[name].metric.details(statistics)
    return found


def _defined(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _defined(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_defined(item) for item in value]
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return _defined(value.item())  # a NumPy or torch scalar
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
