"""A plug-in's metric at work: what it returns is checked, and a failure names its package."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mynah.config.plugins.registry import Plugin
from mynah.errors import UserError
from mynah.evaluation.metrics.metric import Metric, Vector

_TAKEN = (
    "label", "title", "version", "greater_is_better", "percent", "digits", "normalized", "highest",
    "formula",
)  # fmt: skip


class ForeignMetric(Metric):
    """A plug-in's metric behind the contract, with the plug-in's own names and direction."""

    def __init__(self, metric: Metric, plugin: Plugin) -> None:
        super().__init__(metric.options)
        self._metric = metric
        self._plugin = plugin
        self._length: int | None = None
        for name in _TAKEN:
            setattr(self, name, getattr(metric, name, getattr(Metric, name, None)))
        self.name = plugin.name  # type: ignore[misc]

    def load(self) -> None:
        try:
            getattr(self._metric, "load", lambda: None)()
        except Exception as problem:
            raise self._broken(f"failed: {type(problem).__name__}: {problem}") from problem

    def statistics(self, reference: str, hypothesis: str) -> Vector:
        try:
            vector = np.asarray(self._metric.statistics(reference, hypothesis), dtype=np.float64)
        except Exception as problem:
            raise self._broken(f"failed: {type(problem).__name__}: {problem}") from problem
        length = vector.size if self._length is None else self._length
        if vector.shape != (length,) or not np.isfinite(vector).all():
            raise self._broken(
                f"returned statistics of shape {vector.shape}, where finite numbers of shape "
                f"({length},) are needed"
            )
        self._length = length
        return vector

    def value(self, total: Vector) -> float:
        try:
            value = float(self._metric.value(total))
        except Exception as problem:
            raise self._broken(f"failed: {type(problem).__name__}: {problem}") from problem
        return value if math.isfinite(value) else math.nan

    def values(self, totals: NDArray[np.float64]) -> Vector:
        return np.array([self.value(total) for total in totals], dtype=np.float64)

    def details(self, total: Vector) -> dict[str, float]:
        return {name: float(number) for name, number in self._metric.details(total).items()}

    def _broken(self, wrong: str) -> UserError:
        package = self._plugin.distribution
        return UserError(
            f"The metric {self._plugin.name} of the package {package} {wrong}",
            where=f"entry point {self._plugin.name} = {self._plugin.value} (mynah.metrics)",
            fix=f"update or uninstall {package.partition(' ')[0]}",
        )
