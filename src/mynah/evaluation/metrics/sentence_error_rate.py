"""Sentence error rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mynah.evaluation.metrics.edits import ratio, ratios
from mynah.evaluation.metrics.metric import Metric, Vector


class SentenceErrorRate(Metric):
    """The share of utterances with any error. Its vector is [wrong, 1]."""

    name = "ser"
    label = "SER"
    title = "sentence error rate"
    version = "1"
    greater_is_better = False
    highest = 1.0
    formula = "utterances with any error / all utterances"

    def statistics(self, reference: str, hypothesis: str) -> Vector:
        return np.array([reference != hypothesis, 1.0], dtype=np.float64)

    def value(self, total: Vector) -> float:
        return ratio(float(total[0]), float(total[1]))

    def values(self, totals: NDArray[np.float64]) -> Vector:
        return ratios(totals[:, 0], totals[:, 1])
