"""Which metrics a run is measured with, and which of them tells the best checkpoint."""

from __future__ import annotations

from mynah.config.plugins.metrics import METRICS
from mynah.config.schema import Config

_TRANSLATION = ("bleu", "chrf")


def asked_metrics(config: Config) -> tuple[str, ...] | None:
    """The metrics of ``evaluation.metrics``; None: each split's script decides."""
    if config.evaluation.metrics is not None:
        return tuple(config.evaluation.metrics)
    return _TRANSLATION if config.model.task == "translate" else None


def best_metric(config: Config) -> str | None:
    """What checkpoints and the jobs of a sweep are compared by.

    ``training.metric_for_best_model``, or the first of the metrics asked for; None: the first
    one that the first evaluation split is measured with.
    """
    named = config.training.metric_for_best_model
    if named is not None:
        return named.removeprefix("eval_")
    asked = asked_metrics(config)
    return asked[0] if asked else None


def greater_is_better(config: Config) -> bool:
    """The direction of :func:`best_metric`: as set, else the metric's own.

    Those that a split's script decides between are error rates: smaller is better.

    Raises:
        UserError: The metric is a plug-in's that fails to import or breaks its contract.
    """
    set_directly = config.training.greater_is_better
    if set_directly is not None:
        return set_directly
    name = best_metric(config)
    return name is not None and name in METRICS and bool(METRICS.get(name).greater_is_better)


def keeps_best(config: Config) -> bool:
    """Whether a training keeps its best checkpoint besides its newest."""
    training = config.training
    return training.load_best_model_at_end or training.save_strategy == "best"
