"""How long the clips are that a model was trained on, as its checkpoint says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

_KEY = "clips"  # of a checkpoint's mynah.json


@dataclass(frozen=True)
class ClipLengths:
    """Lengths of the clips of a training.

    Attributes:
        mean_seconds: Their mean; above 0.
        longest_seconds: What 99 of 100 are no longer than: a few may be anything.
    """

    mean_seconds: float
    longest_seconds: float

    @classmethod
    def of(cls, seconds: np.ndarray) -> ClipLengths | None:
        """Those of clips of so many seconds, float64 [clips]; None where there are none; of a
        length of 0 nobody knows it."""
        seconds = seconds[seconds > 0]
        if not len(seconds):
            return None
        last = len(seconds) - 1 - len(seconds) // 100
        longest = np.partition(seconds, last)[last]
        return cls(round(float(seconds.mean()), 3), round(float(longest), 3))

    @classmethod
    def read(cls, about: Mapping[str, object]) -> ClipLengths | None:
        """Those that a checkpoint's ``mynah.json`` gives; None: it gives none that can be."""
        given = about.get(_KEY)
        if not isinstance(given, Mapping):
            return None
        mean, longest = given.get("mean_seconds"), given.get("longest_seconds")
        if not isinstance(mean, int | float) or not isinstance(longest, int | float):
            return None
        return cls(float(mean), float(longest)) if 0 < mean <= longest < 1e6 else None

    def as_recorded(self) -> dict[str, dict[str, float]]:
        """What a checkpoint's ``mynah.json`` says of them."""
        return {_KEY: asdict(self)}
