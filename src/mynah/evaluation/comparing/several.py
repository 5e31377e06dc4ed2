"""Several systems on the same utterances: every pair of them, with what many tests cost."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mynah.evaluation.comparing.paired import Comparison, Difference, compare
from mynah.evaluation.comparing.system import System, on_the_same
from mynah.evaluation.metrics.metric import Metric
from mynah.evaluation.score import Scores, UtteranceScore, score

LEVEL = 0.05
# With so many speakers even a difference that all of them share is not evidence at 5 %: exchanging
# each of 5 gives 2 of 32 results as extreme, 6.25 %.
SPEAKERS_TO_REJECT = 6
_DEFAULT_NORMALIZER = "basic"


@dataclass(frozen=True)
class Pair:
    """Two systems.

    Attributes:
        before: Position of the first.
        after: Position of the second.
        comparison: Of all metrics, over speakers where they are known.
        optimistic: The difference of the first metric over utterances, as if those of one speaker
            were independent; None where the comparison is over utterances itself.
        adjusted: The p-value of the first metric, corrected by Holm for all pairs.
    """

    before: int
    after: int
    comparison: Comparison
    optimistic: Difference | None
    adjusted: float

    @property
    def can_reject(self) -> bool:
        """Whether there are enough speakers to say anything at 5 %."""
        over = self.comparison.first.interval
        return self.optimistic is None or over.groups >= SPEAKERS_TO_REJECT

    @property
    def significant(self) -> bool:
        """Whether the difference of the first metric is more than chance at 5 %."""
        return self.can_reject and self.adjusted < LEVEL


@dataclass(frozen=True)
class Compared:
    """Systems on the same utterances.

    Attributes:
        systems: With their utterances in one order.
        scores: Of each.
        pairs: Every two of them, in order.
        oracle: Of each utterance the fewest errors of any: what perfect combining would give.
    """

    systems: Sequence[System]
    scores: Sequence[Scores]
    pairs: Sequence[Pair]
    oracle: float
    labels: Sequence[str] = field(default=())

    @property
    def normalizer(self) -> str:
        """``name@version`` of the normaliser that all were scored with."""
        return self.scores[0].normalizer


def compare_systems(
    systems: Sequence[System], *, normalizer: str | None = None, samples: int = 1000, seed: int = 0
) -> Compared:
    """Score systems with one normaliser and compare every two of them.

    Args:
        systems: Two or more; texts are scored again whatever they were scored with.
        normalizer: Name of the text normaliser; None: the first system's, else ``basic``.
        samples: Resamples of intervals.
        seed: Seed of resamples and exchanges.

    Raises:
        UserError: They are not of the same utterances, or no reference has a word.
    """
    names = (one.normalizer for one in systems)
    normalizer = normalizer or next((one for one in names if one), _DEFAULT_NORMALIZER)
    same = on_the_same(systems, normalizer)
    scores = [
        score(one.hypotheses, normalizer=normalizer, bootstrap_samples=samples, bootstrap_seed=seed)
        for one in same
    ]
    metrics = [measure.metric for measure in scores[0].shown]
    found = [
        _pair(a, b, scores, metrics, samples, seed)
        for a, b in itertools.combinations(range(len(same)), 2)
    ]
    adjusted = holm([pair.comparison.first.p_value for pair in found])
    pairs = [replace(pair, adjusted=p) for pair, p in zip(found, adjusted, strict=True)]
    rows = zip(*(one.per_utterance for one in scores), strict=True)
    fewest = sum(min(row.errors for row in rows_of_one) for rows_of_one in rows)
    labels = [letter(position) for position in range(len(same))]
    return Compared(same, scores, pairs, fewest / max(scores[0].words, 1), labels)


def letter(position: int) -> str:
    """A short name of a system: A, B, … Z, A1, …"""
    return chr(ord("A") + position % 26) + (str(position // 26) if position >= 26 else "")


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for being many (Holm 1979), NaN where one is.

    The smallest of m is multiplied by m, the next by m - 1, and so on; none becomes smaller than
    one before it, and none is above 1.
    """
    known = sorted((p, position) for position, p in enumerate(p_values) if not math.isnan(p))
    made = [math.nan] * len(p_values)
    highest = 0.0
    for rank, (p, position) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * p))
        made[position] = highest
    return made


def _pair(
    a: int, b: int, scores: Sequence[Scores], metrics: Sequence[Metric], samples: int, seed: int
) -> Pair:
    before, after = scores[a].per_utterance, scores[b].per_utterance
    found = compare(before, after, metrics, samples=samples, seed=seed)
    optimistic = None
    if "speakers" in found.first.test:
        anonymous = [[replace(row, speaker="") for row in rows] for rows in (before, after)]
        optimistic = compare(
            anonymous[0], anonymous[1], metrics[:1], samples=samples, seed=seed
        ).first
    return Pair(a, b, found, optimistic, math.nan)


def utterances_of(compared: Compared, position: int) -> Sequence[UtteranceScore]:
    """The utterances of one system."""
    return compared.scores[position].per_utterance
