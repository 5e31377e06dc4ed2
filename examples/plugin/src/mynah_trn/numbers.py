"""In how many utterances all numbers were right: what counts for orders, doses and addresses."""

from __future__ import annotations

from collections import Counter

import numpy as np

from mynah.evaluation.metrics.metric import Metric

_UNITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_TEENS = (
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_WORDS = {*_UNITS, *_TEENS, *_TENS, "hundred", "thousand", "million"}


def numbers(text: str) -> list[str]:
    """The words of a text that are numbers, in their order."""
    return [word for word in text.lower().split() if word in _WORDS or word.isdigit()]


class NumbersRecognized(Metric):
    """Utterances whose numbers are all right, of those with a number."""

    name = "numbers"
    label = "numbers"
    title = "utterances with all numbers right"
    version = "1"
    greater_is_better = True
    highest = 1.0
    formula = "utterances whose numbers are those of the reference / utterances with a number"

    def statistics(self, reference: str, hypothesis: str) -> np.ndarray:
        """float64 [2]: whether all are right, and whether there are any."""
        said = numbers(reference)
        right = bool(said) and Counter(said) == Counter(numbers(hypothesis))
        return np.array([right, bool(said)], dtype=np.float64)

    def value(self, total: np.ndarray) -> float:
        """The share; NaN of utterances without numbers."""
        right, there = total
        return float(right / there) if there else float("nan")
