"""A rate of a run, and what it is more or less than another's."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class RateChange:
    """What a metric of one model is more than that of another, on the same utterances.

    Attributes:
        value: The difference.
        low: Of its paired 95 % interval; NaN where there is none that says anything.
        high: The other end.
        p_value: Of the paired test, not corrected for being one of many; NaN where there is none.
        paired: Whether the utterances were compared one by one; else it is the difference of the
            two values alone.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    p_value: float = math.nan
    paired: bool = True


@dataclass(frozen=True)
class Rate:
    """One metric of one split of a run.

    Attributes:
        split: The split.
        corpus: Its fingerprint: the same fingerprint, the same utterances.
        label: The metric, as ``WER``.
        value: Its value.
        low: Of its 95 % interval; NaN where there is none.
        high: The other end.
        percent: Whether it is shown in per cent.
        greater_is_better: Its direction.
        metric: Its name, as ``wer``.
        base: The same of the untuned base; NaN where it was not measured.
        base_utterances: How many utterances that is of, where it is not of all; else 0.
        base_change: What tuning changed in these, paired; None where that was not measured.
    """

    split: str
    corpus: str
    label: str
    value: float
    low: float
    high: float
    percent: bool
    greater_is_better: bool
    metric: str = ""
    base: float = math.nan
    base_utterances: int = 0
    base_change: RateChange | None = None

    @property
    def shown(self) -> str:
        """``7.41 [6.02, 8.93]``."""
        text = self.number(self.value)
        if math.isnan(self.low) or math.isnan(self.high):
            return text
        return f"{text} [{self.number(self.low)}, {self.number(self.high)}]"

    @property
    def ends(self) -> str:
        """Its interval in words; a dash where there is none."""
        if math.isnan(self.low) or math.isnan(self.high):
            return "–"
        return f"{self.number(self.low)} to {self.number(self.high)}"

    @property
    def base_shown(self) -> str:
        """The base's value, and what tuning changed: ``31.20 (-5.10 [-7.02, -3.30])``; with the
        number of utterances where they are of a sample."""
        if math.isnan(self.base):
            return "–"
        parts = [self.changed(self.base_change)] if self.base_change is not None else []
        parts += [f"{self.base_utterances:,} utterances"] if self.base_utterances else []
        return self.number(self.base) + (f" ({', '.join(parts)})" if parts else "")

    def number(self, value: float) -> str:
        """A value of the metric without its unit."""
        return f"{(100 if self.percent else 1) * value:.2f}"

    def points(self, change: float) -> str:
        """A difference of two values, with its sign."""
        return f"{(100 if self.percent else 1) * change:+.2f}"

    def changed(self, change: RateChange) -> str:
        """``-5.10 [-7.02, -3.30]``, or what is missing for that."""
        text = self.points(change.value)
        if not change.paired:
            return f"{text} unpaired"
        if math.isnan(change.low) or math.isnan(change.high):
            return text
        return f"{text} [{self.points(change.low)}, {self.points(change.high)}]"

    def change_from(self, other: Rate | None) -> float:
        """What this is more than another of the same metric on the same utterances, else NaN."""
        if other is None or (other.corpus, other.label) != (self.corpus, self.label):
            return math.nan
        return self.value - other.value
