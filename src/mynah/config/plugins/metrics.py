"""The metrics there are, by name.

Names are known without importing a metric. A metric's own file says everything else of it.
"""

from __future__ import annotations

from typing import Any

from mynah.config.plugins.registry import Registry, lacking

LOSS = "loss"  # the evaluation loss: a measure that needs the model, not transcripts alone
_ROOM = "mynah.evaluation.metrics"
_CONTRACT = (
    "name", "label", "title", "version", "greater_is_better", "percent", "statistics", "value",
)  # fmt: skip


def _wrong(found: object) -> str | None:
    """What a plug-in's metric lacks of the contract, ``mynah.evaluation.metrics.metric.Metric``."""
    return lacking(found, _CONTRACT)


METRICS: Registry[Any] = Registry(
    "metric",
    "mynah.metrics",
    {
        "wer": f"{_ROOM}.word_error_rate:WordErrorRate",
        "cer": f"{_ROOM}.character_error_rate:CharacterErrorRate",
        "mer": f"{_ROOM}.mixed_error_rate:MixedErrorRate",
        "ser": f"{_ROOM}.sentence_error_rate:SentenceErrorRate",
        "bleu": f"{_ROOM}.bleu:Bleu",
        "chrf": f"{_ROOM}.chrf:Chrf",
        LOSS: f"{_ROOM}.loss:EvaluationLoss",
    },
    _wrong,
)


def metric_names() -> tuple[str, ...]:
    """All names that ``evaluation.metrics`` and ``training.metric_for_best_model`` take."""
    return METRICS.names
