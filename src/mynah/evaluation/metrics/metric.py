"""The contract of a metric: a vector for each utterance, and a number for a sum of vectors.

Everything that compares models works on sums: the value of a split, of a speaker, of a bin of
durations, of a bootstrap's resample. So a metric says nothing of any of these.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

Vector: TypeAlias = NDArray[np.float64]
"""Statistics of one utterance, or their sum: float64 [k]."""


class Metric(ABC):
    """One metric, made once for a set of utterances.

    A subclass states the class variables and the two methods; the rest has defaults.

    Attributes:
        name: As settings, ``results.json`` and logs give it, as ``"wer"``.
        label: As tables give it, as ``"WER"``.
        title: In words, as ``"word error rate"``.
        version: Changes whenever a value could come out differently.
        greater_is_better: Its direction: the only place where it is said.
        percent: Whether a value is a fraction that is shown in per cent; else it is shown as
            it is, as BLEU's 0 to 100.
        digits: Digits after the point of what is shown.
        normalized: Whether it takes text as the normaliser leaves it; else as it was written.
        lowest: The smallest value there can be.
        highest: The largest, or None.
        formula: How it is computed, in a sentence for the report.
        package: The module it is computed by where that is not a dependency, as ``"sacrebleu"``.
        install: What ``pip install`` takes to get it.
        Options: A dataclass of its own settings, ``evaluation.options.NAME``; None: it has none.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    title: ClassVar[str]
    version: ClassVar[str]
    greater_is_better: ClassVar[bool]
    percent: ClassVar[bool] = True
    digits: ClassVar[int] = 2
    normalized: ClassVar[bool] = True
    lowest: ClassVar[float] = 0.0
    highest: ClassVar[float | None] = None
    formula: ClassVar[str] = ""
    package: ClassVar[str | None] = None
    install: ClassVar[str] = ""
    Options: ClassVar[type | None] = None

    def __init__(self, options: object = None) -> None:
        """
        Args:
            options: An instance of :attr:`Options`, where the metric has them.
        """
        self.options = options

    def load(self) -> None:  # noqa: B027 - most have nothing to load
        """Load what it computes with, before anything is decoded for it.

        Raises:
            UserError: That is not there.
        """

    @property
    def identity(self) -> str:
        """``name@version``, as it stands beside a value."""
        return f"{self.name}@{self.version}"

    @abstractmethod
    def statistics(self, reference: str, hypothesis: str) -> Vector:
        """What one utterance adds to the sums: float64 [k], the same k for every utterance.

        Args:
            reference: What was said; "" where nothing was.
            hypothesis: What was recognized; "" where nothing was, or decoding failed.
        """

    @abstractmethod
    def value(self, total: Vector) -> float:
        """The metric of utterances whose vectors add up to ``total``; NaN: it has none."""

    def values(self, totals: NDArray[np.float64]) -> Vector:
        """:meth:`value` of each row of [m, k]: float64 [m]. Resamples come in thousands."""
        return np.array([self.value(total) for total in totals], dtype=np.float64)

    def details(self, total: Vector) -> Mapping[str, float]:
        """Numbers behind the value that ``results.json`` gives beside it, by name."""
        return {}

    def number(self, value: float, digits: int | None = None) -> str:
        """A value without its unit: ``7.41``, or ``–`` where there is none."""
        if math.isnan(value):
            return "–"
        scaled = 100 * value if self.percent else value
        return f"{scaled:.{self.digits if digits is None else digits}f}"

    def shown(self, value: float) -> str:
        """A value with its unit: ``7.41 %``."""
        return self.number(value) + (" %" if self.percent and not math.isnan(value) else "")

    @property
    def column(self) -> str:
        """The head of a table's column: ``WER %``."""
        return f"{self.label} %" if self.percent else self.label
