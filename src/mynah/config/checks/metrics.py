"""Rules of metrics: each can be computed here, and the one that tells the best is a metric."""

from __future__ import annotations

import importlib.util

from mynah.config.best_metric import asked_metrics
from mynah.config.checks.checker import Checker
from mynah.config.plugins.metrics import METRICS
from mynah.errors import UserError


def check_metrics(checker: Checker) -> None:
    """Metrics that were asked for are imported here: nothing is trained for one that fails."""
    config = checker.config
    asked = dict.fromkeys(asked_metrics(config) or (), "evaluation.metrics")
    if config.training.metric_for_best_model is not None:
        asked.setdefault(config.training.metric_for_best_model, "training.metric_for_best_model")
    for name, setting in asked.items():
        if name not in METRICS:
            continue
        try:
            metric = METRICS.get(name)
        except UserError as problem:
            checker.wrong(setting, f"{problem.what} ({problem.where}): {problem.fix}.", None)
            continue
        package = getattr(metric, "package", None)
        if package and importlib.util.find_spec(package) is None:
            checker.wrong(
                setting,
                f"{metric.label} is computed by {package}, which is not installed: "
                f"pip install {metric.install}.",
                "evaluation.metrics=[wer,cer]" if setting == "evaluation.metrics" else None,
                remove=setting != "evaluation.metrics",
            )
