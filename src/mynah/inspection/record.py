"""An inspection as data: ``inspection.json``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np

from mynah.data.signals.audio_scan import AudioScan
from mynah.evaluation.results import scoring_versions
from mynah.inspection.disagreement import Disagreement
from mynah.inspection.inspect import Inspection, SplitInspection
from mynah.inspection.suspicions import Suspicion
from mynah.inspection.words.vocabulary import NORMALIZER

INSPECTION_FORMAT = 1  # raised when a field changes its meaning
LISTED_SUSPICIONS = 10_000  # of one kind in the record
_LISTED_WORDS = 1_000
_LISTED_DROPPED = 10_000
_QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


def inspection_record(inspection: Inspection, created: datetime) -> dict[str, Any]:
    """All that was found; to be written by ``results.to_json``."""
    return {
        "format": INSPECTION_FORMAT,
        "created": created.isoformat(timespec="seconds"),
        "corpus": inspection.name,
        "sample": inspection.sample,
        "checkpoint": inspection.checkpoint,
        "word_normalizer": NORMALIZER,
        "splits": {name: _split(split) for name, split in inspection.splits.items()},
        "preparation": {key: value for key, value in inspection.report.items() if key != "splits"},
        "versions": scoring_versions(),
    }


def _split(split: SplitInspection) -> dict[str, Any]:
    rows, words = split.rows, split.vocabulary
    return {
        "role": "training" if split.training else "evaluation",
        "fingerprint": split.corpus.fingerprint,
        "utterances": len(rows),
        "hours": float(rows.durations.sum()) / 3600,
        "speakers": len(rows.speakers.known),
        "distinct_transcripts": len(np.unique(rows.texts.keys)),
        "running_words": words.running_words,
        "distinct_words": len(words.words),
        "words_once": words.once,
        "words": dict(list(words.words.items())[:_LISTED_WORDS]),
        "characters": words.characters,
        "rare_characters": words.rare_characters,
        "duration_seconds": quantiles(rows.durations),
        "characters_a_second": quantiles(rows.characters_a_second),
        "words_a_second": quantiles(rows.words_a_second),
        "histograms": {name: binned.as_dict() for name, binned in split.histograms.items()},
        "by": {name: [g.as_dict() for g in groups] for name, groups in split.groups.items()},
        "left_out": dict(split.account.get("dropped", {})),
        "left_out_rows": list(split.account.get("dropped_rows", []))[:_LISTED_DROPPED],
        "out_of_vocabulary": split.unseen and split.unseen.as_dict(),
        "shared_with_training": split.shared and split.shared.as_dict(),
        "audio": split.scan and _audio(split.scan, split.file_rates),
        "suspicious_rows": len(split.suspicious_rows),
        "suspicious": {s.kind.key: _suspicion(split, s) for s in split.suspicions},
        "disagreement": split.disagreement and _disagreement(split.disagreement),
    }


def quantiles(values: np.ndarray) -> dict[str, float]:
    """Mean and quantiles of the finite values; empty where there is none."""
    values = values[np.isfinite(values)]
    if not len(values):
        return {}
    found = np.quantile(values, _QUANTILES)
    named = {f"p{100 * q:g}": float(v) for q, v in zip(_QUANTILES, found, strict=True)}
    return {"mean": float(values.mean()), **named}


def _audio(scan: AudioScan, rates: dict[int, int]) -> dict[str, Any]:
    return {
        "recordings": len(scan),
        "file_rates": rates,
        **{name: quantiles(values) for name, values in scan.facts.items() if name != "file_rate"},
    }


def _suspicion(split: SplitInspection, found: Suspicion) -> dict[str, Any]:
    return {
        "count": len(found),
        "why": found.kind.why,
        "rows": [
            {"row": row, "id": split.corpus.ids[row], "detail": found.describe(row)}
            for row in found.rows[:LISTED_SUSPICIONS].tolist()
        ],
    }


def _disagreement(found: Disagreement) -> dict[str, Any]:
    scores = found.evaluation.scores
    return {
        "decoded": len(found.rows),
        "normalizer": scores.normalizer,
        **{name: measure.value for name, measure in scores.measures.items()},
        "striking": found.striking,
        "rows": [
            {
                "row": int(found.rows[position]),
                "id": scores.per_utterance[position].id,
                "excess": float(found.excess[position]),
                **scores.values_of(scores.per_utterance[position]),
                "reference": scores.per_utterance[position].reference,
                "hypothesis": scores.per_utterance[position].hypothesis,
                "error": scores.per_utterance[position].error,
            }
            for position in found.order[:LISTED_SUSPICIONS].tolist()
        ],
    }
