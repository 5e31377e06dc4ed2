"""Character error rate."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from mynah.evaluation.metrics.edits import ratio, ratios
from mynah.evaluation.metrics.metric import Metric, Vector


class CharacterErrorRate(Metric):
    """Errors over the characters (code points) of the references, single spaces included.

    Its vector is [edits, characters of the reference].
    """

    name = "cer"
    label = "CER"
    title = "character error rate"
    version = "1"
    greater_is_better = False
    formula = (
        "(substitutions + deletions + insertions) / characters of all references, spaces between "
        "words included"
    )

    def statistics(self, reference: str, hypothesis: str) -> Vector:
        edits = Levenshtein.distance(reference, hypothesis)
        return np.array([edits, len(reference)], dtype=np.float64)

    def value(self, total: Vector) -> float:
        return ratio(float(total[0]), float(total[1]))

    def values(self, totals: NDArray[np.float64]) -> Vector:
        return ratios(totals[:, 0], totals[:, 1])

    def details(self, total: Vector) -> Mapping[str, float]:
        return {"characters": int(total[1]), "character_edits": int(total[0])}
