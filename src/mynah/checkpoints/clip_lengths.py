"""How long the clips are that a model was trained on, as its checkpoint says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

_KEY = "clips"  # of a checkpoint's mynah.json
_PART = 1 << 16  # clips looked at together


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
        longest, total, count = np.zeros(0), 0.0, 0
        most = len(seconds) // 100 + 1
        for begin in range(0, len(seconds), _PART):  # of ten million a copy is 80 MB
            part = seconds[begin : begin + _PART]
            part = part[part > 0]
            total, count = total + float(part.sum()), count + len(part)
            longest = np.concatenate([longest, part])
            if (shorter := len(longest) - most) > 0:
                longest = np.partition(longest, shorter)[shorter:]
        if not count:
            return None
        place = len(longest) - 1 - count // 100
        return cls(round(total / count, 3), round(float(np.sort(longest)[place]), 3))

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
