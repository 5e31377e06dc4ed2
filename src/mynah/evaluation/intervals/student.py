"""Quantiles of Student's t distribution, exact for integer degrees of freedom."""

from __future__ import annotations

import math
from functools import cache

_BISECTIONS = 200  # more than a double has bits


def probability_within(t: float, degrees: int) -> float:
    """The probability that ``|T| <= t``: Abramowitz and Stegun 1964, 26.7.3 and 26.7.4.

    Args:
        t: At least 0.
        degrees: Degrees of freedom, at least 1.
    """
    angle = math.atan(t / math.sqrt(degrees))
    cosine, sine = math.cos(angle), math.sin(angle)
    odd = degrees % 2
    term = cosine if odd else 1.0
    total = 0.0
    for step in range(1 + odd, degrees, 2):
        total += term
        term *= cosine * cosine * step / (step + 1)
    if odd:
        return 2 / math.pi * (angle + sine * total)
    return sine * total


@cache
def two_sided_quantile(confidence: float, degrees: int) -> float:
    """The t within which ``T`` lies with probability ``confidence``, as 2.262 of 0.95 and 9."""
    low, high = 0.0, 1.0
    while probability_within(high, degrees) < confidence:
        high *= 2
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if probability_within(middle, degrees) < confidence:
            low = middle
        else:
            high = middle
    return (low + high) / 2
