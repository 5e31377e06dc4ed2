"""Ways to divide utterances into groups: by what a corpus says of them, by what they measure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mynah.data.sources.reading.metadata import HEADERS
from mynah.evaluation.hypothesis import Hypothesis

UNKNOWN_GROUP = "(unknown)"
_MOST_NAMES = 1000  # of a column; a corpus that has more there has names, and no groups
_FEW_NUMBERS = 10  # different numbers up to which each is a group
_RANGES = 5  # of a column of many numbers
_SPEAKER = "speaker"
_COLUMN = "column "  # before the name of one that would hide a way


@dataclass(frozen=True)
class Measurement:
    """What every utterance measures, and the edges of its ranges.

    Attributes:
        name: As files give it.
        title: As pages and tables give it.
        unit: Of its numbers.
        edges: Between the ranges, ascending.
    """

    name: str
    title: str
    unit: str
    edges: tuple[float, ...]


MEASUREMENTS = (
    Measurement("duration_seconds", "duration", "s", (2, 5, 10, 20)),
    Measurement("words_per_second", "rate of speech", "words/s", (1.5, 2, 2.5, 3, 3.5, 4)),
    Measurement("level_db", "level", "dB", (-50, -40, -30, -25, -20)),
    Measurement("snr_db", "signal to noise", "dB", (5, 10, 15, 20, 30, 40)),
    Measurement("bandwidth_hz", "bandwidth", "Hz", (3600, 5000, 7000)),
)


@dataclass(frozen=True)
class Way:
    """One way to divide utterances.

    Attributes:
        name: As files give it: ``speaker``, a column's name, ``snr_db``.
        title: As pages give it.
        labels: The names of its groups; in ascending order where they are ranges.
        codes: The group of each utterance, int64 [utterances].
        ranges: Whether the groups are ranges of numbers.
    """

    name: str
    title: str
    labels: Sequence[str]
    codes: NDArray[np.int64] = field(repr=False)
    ranges: bool = False


@dataclass(frozen=True)
class Ways:
    """All ways, and the columns that are none.

    Attributes:
        ways: In the order in which they are shown.
        not_groups: Columns with a value of its own for nearly every utterance, as ids.
    """

    ways: Sequence[Way]
    not_groups: Sequence[str]


def titled(name: str) -> str:
    """The title of a way by its name."""
    return next((one.title for one in MEASUREMENTS if one.name == name), name)


def ways(hypotheses: Sequence[Hypothesis], words: Sequence[int]) -> Ways:
    """What utterances can be divided by: speaker, language, each column of the corpus, and each
    measurement. What is the same for all, or known of none, is left out.

    Args:
        hypotheses: Of the utterances.
        words: Words of their references.
    """
    found: list[Way] = []
    not_groups = []
    for name, values in _named(hypotheses):
        way = _by_value(name, values)
        if way is None:
            not_groups.append(name)
        elif len(way.labels) > 1:
            found.append(way)
    for measurement in MEASUREMENTS:
        numbers = _measured(measurement.name, hypotheses, words)
        way = _by_range(
            measurement.name, measurement.title, numbers, measurement.edges, measurement.unit
        )
        if len(way.labels) > 1:
            found.append(way)
    return Ways(found, not_groups)


def _named(hypotheses: Sequence[Hypothesis]) -> Iterator[tuple[str, list[str]]]:
    yield _SPEAKER, [one.speaker or "" for one in hypotheses]
    yield "language", [one.language for one in hypotheses]
    columns = dict.fromkeys(name for one in hypotheses for name in one.columns)
    for name in columns:
        # A column by one of the names above, as an id's accent, never hides it.
        shown = name if name not in (_SPEAKER, "language") else _COLUMN + name
        yield shown, [one.columns.get(name, "") for one in hypotheses]


def _by_value(name: str, values: Sequence[str]) -> Way | None:
    """A group a value; None where nearly every utterance has its own."""
    known = set(values) - {""}
    numbers = _as_numbers(known)
    of_speakers = name.removeprefix(_COLUMN).lower() in HEADERS["speaker"]
    if numbers is not None and len(known) > _FEW_NUMBERS and not of_speakers:  # 1089 is a name
        found = np.array([numbers.get(value, math.nan) for value in values])
        return _by_range(name, name, found, _quantiles(found), "")
    if name != _SPEAKER and (len(known) > _MOST_NAMES or len(known) > max(20, len(values) // 2)):
        return None
    labels = sorted(known, key=(lambda one: numbers[one]) if numbers is not None else None)
    if len(known) < len(set(values)) and known:
        labels.append(UNKNOWN_GROUP)
    place = {label: number for number, label in enumerate(labels)}
    codes = [place.get(value or UNKNOWN_GROUP, 0) for value in values]
    return Way(name, name, labels, np.array(codes, dtype=np.int64))


def _as_numbers(values: Iterable[str]) -> dict[str, float] | None:
    """Values as numbers; None where one is not a number."""
    found = {}
    for value in values:
        try:
            found[value] = float(value)
        except ValueError:
            return None
        if not math.isfinite(found[value]):
            return None
    return found


def _quantiles(numbers: NDArray[np.float64]) -> list[float]:
    """Edges of about equally many utterances, of three digits."""
    known = numbers[~np.isnan(numbers)]
    ends = np.quantile(known, np.arange(1, _RANGES) / _RANGES)
    return sorted({float(f"{end:.3g}") for end in ends})


def _by_range(
    name: str, title: str, numbers: NDArray[np.float64], edges: Sequence[float], unit: str
) -> Way:
    known = ~np.isnan(numbers)
    places = np.searchsorted(np.asarray(edges), numbers, side="right")
    places[~known] = len(edges) + 1
    names = [_range(edges, place, unit) for place in range(len(edges) + 1)] + [UNKNOWN_GROUP]
    there = np.unique(places)
    if not known.any():
        return Way(name, title, [], np.zeros(len(numbers), dtype=np.int64), True)
    labels = [names[place] for place in there]
    return Way(name, title, labels, np.searchsorted(there, places).astype(np.int64), True)


def _range(edges: Sequence[float], place: int, unit: str) -> str:
    after = f" {unit}" if unit else ""
    if place == 0:
        return f"under {edges[0]:g}{after}"
    if place == len(edges):
        return f"{edges[-1]:g}{after} and more"
    return f"{edges[place - 1]:g} to {edges[place]:g}{after}"


def _measured(
    name: str, hypotheses: Sequence[Hypothesis], words: Sequence[int]
) -> NDArray[np.float64]:
    """A measurement of each utterance, NaN where there is none: float64 [utterances]."""
    if name == "duration_seconds":
        found = [one.duration_seconds or math.nan for one in hypotheses]
    elif name == "words_per_second":
        found = [
            count / one.duration_seconds if one.duration_seconds and count else math.nan
            for one, count in zip(hypotheses, words, strict=True)
        ]
    else:
        found = [one.measured.get(name, math.nan) for one in hypotheses]
    return np.array(found, dtype=np.float64)
