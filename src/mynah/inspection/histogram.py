"""Counts of values in equal bins with round edges, for drawing and for the record."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from mynah.pages.axes import round_step

_TAIL = 0.998  # of the values lie below the last edge: a few long ones must not flatten the rest

_NO_SPAN = 1e-9  # values that lie closer together are one


@dataclass(frozen=True)
class Histogram:
    """Values in bins of equal width.

    Attributes:
        low: Lower edge of the first bin.
        width: Of a bin, in the values' unit.
        counts: Values in each bin; an edge belongs to the bin above it.
        beyond: Values above the last edge.
        median: Of all values.
    """

    low: float
    width: float
    counts: tuple[int, ...]
    beyond: int
    median: float

    @property
    def high(self) -> float:
        """Upper edge of the last bin."""
        return self.low + self.width * len(self.counts)

    def edges(self, position: int) -> tuple[float, float]:
        """Where a bin begins and ends."""
        return self.low + self.width * position, self.low + self.width * (position + 1)

    def as_dict(self) -> dict[str, Any]:
        """For the record."""
        return {
            "low": round(self.low, 9),
            "width": round(self.width, 9),
            "counts": list(self.counts),
            "beyond": self.beyond,
            "median": self.median,
        }


def histogram(values: np.ndarray, *, about: int = 30, from_zero: bool = True) -> Histogram | None:
    """Bin finite values [n] in about so many bins; None where there is no value.

    Args:
        values: What is counted; no numbers are left out.
        about: How many bins; their width is 1, 2 or 5 times a power of ten.
        from_zero: Whether the first bin begins at 0, for values that are never below.
    """
    values = np.asarray(values, dtype=np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    largest = float(values.max())
    top = float(np.quantile(values, _TAIL)) if len(values) >= 100 else largest
    low = 0.0 if from_zero else float(values.min())
    if largest - low <= 1.3 * (top - low):  # no tail to speak of
        top = largest
    span = top - low if top - low > _NO_SPAN else max(abs(low), 1.0)
    width = round_step(span / about)
    first = math.floor(low / width + 1e-9) * width
    bins = max(math.floor((top - first) / width + 1e-9) + 1, 1)
    positions = np.floor((values - first) / width + 1e-9).astype(np.int64)
    counts = np.bincount(np.clip(positions, 0, bins), minlength=bins + 1)
    return Histogram(
        low=first,
        width=width,
        counts=tuple(int(count) for count in counts[:bins]),
        beyond=int(counts[bins]),
        median=float(np.median(values)),
    )
