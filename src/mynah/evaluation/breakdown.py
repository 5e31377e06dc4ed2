"""Where the errors are: by duration, and which words become which."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mynah.evaluation.groups.rates import Counted, GroupRate, grouped
from mynah.evaluation.groups.ways import Way
from mynah.evaluation.score import UtteranceScore

if TYPE_CHECKING:
    from mynah.evaluation.evaluate import Evaluation

_DURATION_BINS = 8
_UTTERANCES_IN_A_BIN = 10


@dataclass(frozen=True)
class DurationBin:
    """Utterances of similar length, from ``low`` to ``high`` seconds, with their rates."""

    low: float
    high: float
    rate: GroupRate


@dataclass(frozen=True)
class Confusions:
    """The most frequent errors with their counts, the most frequent first."""

    substitutions: list[tuple[str, str, int]]
    deletions: list[tuple[str, int]]
    insertions: list[tuple[str, int]]


def by_duration(evaluation: Evaluation) -> list[DurationBin]:
    """Rates in bins with about equally many utterances, the shortest first.

    At most eight bins of at least ten utterances; utterances of the same duration are never
    in two bins, so that a bin's edges say what is in it.
    """
    durations = sorted(one.duration_seconds for one in evaluation.hypotheses)
    wanted = max(1, min(_DURATION_BINS, len(durations) // _UTTERANCES_IN_A_BIN))
    edges = [0]
    for number in range(1, wanted):
        edge = round(number * len(durations) / wanted)
        while edge < len(durations) and durations[edge] == durations[edge - 1]:
            edge += 1
        if edges[-1] < edge < len(durations):
            edges.append(edge)
    edges.append(len(durations))
    spans = list(itertools.pairwise(edges))
    codes = np.searchsorted(
        [durations[end - 1] for _, end in spans],
        [hypothesis.duration_seconds for hypothesis in evaluation.hypotheses],
    )
    way = Way("duration", "duration", [str(number) for number in range(len(spans))], codes, True)
    rates = grouped(way, Counted.of(evaluation.scores)).groups
    return [
        DurationBin(durations[start], durations[end - 1], rate)
        for (start, end), rate in zip(spans, rates, strict=True)
    ]


def confusions(rows: Sequence[UtteranceScore], most: int) -> Confusions:
    """The ``most`` most frequent errors of each kind; equally frequent ones by the alphabet."""
    counts: dict[str, Counter[tuple[str, ...]]] = {
        "substitute": Counter(),
        "delete": Counter(),
        "insert": Counter(),
    }
    for row in rows:
        for word in row.alignment if row.errors else ():
            if word.operation != "equal":
                said = (word.reference, word.hypothesis)
                counts[word.operation][tuple(text for text in said if text)] += 1

    def top(operation: str) -> list[tuple[tuple[str, ...], int]]:
        ranked = sorted(counts[operation].items(), key=lambda item: (-item[1], item[0]))
        return ranked[:most]

    return Confusions(
        substitutions=[
            (said, recognized, count) for (said, recognized), count in top("substitute")
        ],
        deletions=[(said, count) for (said,), count in top("delete")],
        insertions=[(recognized, count) for (recognized,), count in top("insert")],
    )


def worst_first(evaluation: Evaluation) -> list[int]:
    """Positions of the utterances: most errors first, then the highest rate of them, then the
    most wrong characters, then order."""
    rows = evaluation.scores.per_utterance

    def key(position: int) -> tuple[int, float, int, int]:
        row = rows[position]
        rate = math.inf if math.isnan(row.rate) else row.rate
        return -row.errors, -rate, -row.character_errors, position

    return sorted(range(len(rows)), key=key)
