"""Where the errors are: by speaker, by duration, and which words become which."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mynah.evaluation.score import Measure, Scores, UtteranceScore, score_rows

if TYPE_CHECKING:
    from mynah.evaluation.evaluate import Evaluation
    from mynah.evaluation.hypothesis import Hypothesis

_DURATION_BINS = 8
_UTTERANCES_IN_A_BIN = 10


@dataclass(frozen=True)
class DurationBin:
    """Utterances of similar length, from ``low`` to ``high`` seconds, with their rates."""

    low: float
    high: float
    scores: Scores


@dataclass(frozen=True)
class Confusions:
    """The most frequent errors with their counts, the most frequent first."""

    substitutions: list[tuple[str, str, int]]
    deletions: list[tuple[str, int]]
    insertions: list[tuple[str, int]]


def by_speaker(evaluation: Evaluation) -> dict[str, Scores]:
    """Scores of each speaker, the worst first by the first metric; empty where no speaker is known.

    Utterances without a speaker stand under ``""``.
    """
    groups: dict[str, list[UtteranceScore]] = {}
    for row in evaluation.scores.per_utterance:
        groups.setdefault(row.speaker, []).append(row)
    if set(groups) <= {""}:
        return {}
    scores = {speaker: _score(evaluation, rows) for speaker, rows in groups.items()}
    return dict(sorted(scores.items(), key=lambda item: (_goodness(item[1].first), item[0])))


def by_duration(evaluation: Evaluation) -> list[DurationBin]:
    """Rates in bins with about equally many utterances, the shortest first.

    At most eight bins of at least ten utterances; utterances of the same duration are never
    in two bins, so that a bin's edges say what is in it.
    """
    pairs = sorted(_pairs(evaluation), key=lambda pair: pair[0].duration_seconds)
    wanted = max(1, min(_DURATION_BINS, len(pairs) // _UTTERANCES_IN_A_BIN))
    durations = [hypothesis.duration_seconds for hypothesis, _ in pairs]
    edges = [0]
    for number in range(1, wanted):
        edge = round(number * len(pairs) / wanted)
        while edge < len(pairs) and durations[edge] == durations[edge - 1]:
            edge += 1
        if edges[-1] < edge < len(pairs):
            edges.append(edge)
    edges.append(len(pairs))
    return [
        DurationBin(
            durations[start],
            durations[end - 1],
            _score(evaluation, [row for _, row in pairs[start:end]]),
        )
        for start, end in itertools.pairwise(edges)
    ]


def confusions(rows: Sequence[UtteranceScore], most: int) -> Confusions:
    """The ``most`` most frequent errors of each kind; equally frequent ones by the alphabet."""
    counts: dict[str, Counter[tuple[str, ...]]] = {
        "substitute": Counter(),
        "delete": Counter(),
        "insert": Counter(),
    }
    for row in rows:
        for word in row.alignment:
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


def _pairs(evaluation: Evaluation) -> list[tuple[Hypothesis, UtteranceScore]]:
    return list(zip(evaluation.hypotheses, evaluation.scores.per_utterance, strict=True))


def _score(evaluation: Evaluation, rows: Sequence[UtteranceScore]) -> Scores:
    of_split = evaluation.scores
    return score_rows(
        rows,
        [measure.metric for measure in of_split.shown if measure.metric.name in rows[0].statistics],
        best=of_split.best,
        normalizer=of_split.normalizer,
        bootstrap_samples=of_split.bootstrap_samples,
        bootstrap_seed=of_split.bootstrap_seed,
    )


def _goodness(measure: Measure) -> float:
    """What sorts sets from the worst to the best; those without a value come first."""
    if math.isnan(measure.value):
        return -math.inf
    return measure.value if measure.metric.greater_is_better else -measure.value
