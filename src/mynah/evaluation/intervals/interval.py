"""One interval, and how it was found."""

from __future__ import annotations

import math
from dataclasses import dataclass

CONFIDENCE = 0.95
FEWEST_SPEAKERS = 5  # below which an interval over speakers says next to nothing
FEWEST_UTTERANCES = 50  # below which an error rate and its interval say little


@dataclass(frozen=True)
class Interval:
    """A 95 % interval of a metric.

    Attributes:
        low: Its lower end; NaN where there is none.
        high: Its upper end.
        method: How it was found, as ``"jackknife-t over 12 speakers"``.
        groups: What it is over: so many utterances, or speakers.
        informative: Whether there are enough of them for it to say anything.
    """

    low: float
    high: float
    method: str
    groups: int
    informative: bool = True

    @property
    def exists(self) -> bool:
        return not (math.isnan(self.low) or math.isnan(self.high))

    @property
    def can_be_shown(self) -> bool:
        return self.exists and self.informative


def says_something(low: float, high: float) -> bool:
    """Whether two ends say how far a value may be off: not where there are none, nor where they
    are one, since nothing varies in what was measured, as without a single error."""
    return low < high


NO_INTERVAL = Interval(math.nan, math.nan, "none", 0)
