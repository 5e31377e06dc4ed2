"""How loud a recording is, as far as that shows that it is none."""

from __future__ import annotations

import numpy as np

_LOUDEST = 32.0  # what no recording reaches, 30 dB above full scale; integers kept as floats do
_CANCELLED = 1e-4  # share of the channels' power that is left where they cancel each other


class Levels:
    """How loud the channels are, and their mean."""

    def __init__(self) -> None:
        self._channels = self._mixed = 0.0

    def add(self, block: np.ndarray, mono: np.ndarray) -> None:
        """Count a block [samples, channels] and what is read of it [samples]."""
        self._channels += float(np.square(block, dtype=np.float64).mean(axis=1).sum())
        self._mixed += float(np.square(mono, dtype=np.float64).sum())

    @property
    def cancel(self) -> bool:
        """Whether hardly anything is left of the channels in their mean."""
        return self._mixed < _CANCELLED * self._channels


def check_peak(peak: float) -> None:
    """
    Raises:
        ValueError: It is not a level of a sound.
    """
    if not np.isfinite(peak):
        raise ValueError("it holds samples that are not numbers")
    if peak > _LOUDEST:
        raise ValueError(
            f"its samples reach {peak:,.6g}, where full scale is 1: these are integers written as "
            "floats, or no sound (write it as 16-bit PCM, or divide it by 32768)"
        )


def is_one_value(samples: np.ndarray) -> bool:
    """Whether all samples, [samples] and at least one, are the same."""
    # Where the ends differ, which is as a rule, the rest need not be looked at.
    return bool(samples[0] == samples[-1] and (samples == samples[0]).all())
