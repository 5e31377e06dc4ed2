"""chrF of translations, sacrebleu's: character n-grams.

Popović 2015, "chrF: character n-gram F-score for automatic MT evaluation".
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from mynah.evaluation.metrics.metric import Vector
from mynah.evaluation.metrics.translation import TranslationMetric

_ORDER = 6  # characters of the longest n-grams


@dataclass(frozen=True)
class ChrfOptions:
    """Settings of ``evaluation.options.chrf``.

    Attributes:
        lowercase: Whether case counts for nothing.
        beta: How much more recall counts than precision.
    """

    lowercase: bool = False
    beta: float = 2.0


class Chrf(TranslationMetric):
    """chrF2 of the set, 0 to 100: the value is that of ``sacrebleu.corpus_chrf``.

    Its vector is [hypothesis's n-grams, reference's n-grams, matches] of each of 6 orders,
    spaces left out.
    """

    name = "chrf"
    label = "chrF"
    title = "chrF"
    Options = ChrfOptions

    def statistics(self, reference: str, hypothesis: str) -> Vector:
        from sacrebleu.metrics.helpers import extract_all_char_ngrams

        if self._options.lowercase:
            reference, hypothesis = reference.lower(), hypothesis.lower()
        counts: list[int] = []
        found: list[Counter[str]] = extract_all_char_ngrams(hypothesis, _ORDER)
        said: list[Counter[str]] = extract_all_char_ngrams(reference, _ORDER)
        for one, other in zip(found, said, strict=True):
            # N-grams for which the reference is too short do not count, as in sacrebleu.
            counts += [one.total() if other else 0, other.total(), (one & other).total()]
        return np.array(counts, dtype=np.float64)

    def value(self, total: Vector) -> float:
        precisions, recalls = [], []
        for found, said, matches in total.reshape(_ORDER, 3).tolist():
            if found > 0 and said > 0:
                precisions.append(matches / found)
                recalls.append(matches / said)
        if not precisions:
            return 0.0
        precision = sum(precisions) / len(precisions)
        recall = sum(recalls) / len(recalls)
        if not precision + recall:
            return 0.0
        factor = self._options.beta**2
        return 100 * ((1 + factor) * precision * recall / (factor * precision + recall))

    @property
    def _options(self) -> ChrfOptions:
        return self.options if isinstance(self.options, ChrfOptions) else ChrfOptions()
