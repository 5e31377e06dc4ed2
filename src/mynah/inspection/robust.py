"""How far a value lies from the others, when the others hold outliers too."""

from __future__ import annotations

import numpy as np

MIN_VALUES = 20  # fewer say nothing of what is usual
_NORMAL = 1.4826  # median absolute deviation of a normal distribution to its standard deviation


def robust_z(values: np.ndarray) -> np.ndarray:
    """Deviations from the median in robust standard deviations, [n].

    The scale is the median absolute deviation of each side of the median by itself, as a rate
    of speech spreads further downwards than upwards. Where there are fewer than
    :data:`MIN_VALUES` values, or more than half of a side are the same, it is 0.

    Args:
        values: Finite values, [n].
    """
    if len(values) < MIN_VALUES:
        return np.zeros(len(values))
    deviations = values - np.median(values)
    scores = np.zeros(len(values))
    for side in (deviations < 0, deviations > 0):
        around = np.abs(deviations[side | (deviations == 0)])
        scale = _NORMAL * float(np.median(around)) if len(around) else 0.0
        if scale > 0:
            scores[side] = deviations[side] / scale
    return scores


def robust_z_within(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The same within each group by itself; 0 where a value is not a number.

    Args:
        values: [n].
        groups: Whole numbers that name the group of each value, [n].
    """
    scores = np.zeros(len(values))
    for group in np.unique(groups):
        members = np.flatnonzero((groups == group) & np.isfinite(values))
        scores[members] = robust_z(values[members])
    return scores
