"""Scores of a full set: its metrics, how far they may be off by chance, and its errors.

The denominator is fixed: every reference of the set, whatever became of its hypothesis. A
metric is one of the set (of the sum of all utterances' statistics), not a mean over utterances.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from mynah.errors import UserError
from mynah.evaluation.intervals.bootstrap import bootstrap
from mynah.evaluation.intervals.interval import NO_INTERVAL, Interval
from mynah.evaluation.intervals.speakers import speaker_intervals
from mynah.evaluation.metrics.choice import Choice, errors_of
from mynah.evaluation.metrics.edits import AlignedWord, EditRate, Edits, align_words, count_edits
from mynah.evaluation.metrics.metric import Metric, Vector
from mynah.evaluation.normalize import get_normalizer

if TYPE_CHECKING:
    from mynah.evaluation.hypothesis import Hypothesis


@dataclass(frozen=True)
class UtteranceScore:
    """The errors of one utterance.

    Attributes:
        id: The utterance's id in its corpus.
        speaker: Who speaks, "" where that is not known.
        reference: Normalised reference.
        hypothesis: Normalised hypothesis.
        edits: Its errors, counted in ``unit``.
        unit: What errors are counted in: words, or mixed units.
        statistics: Of each metric, by its name: float64 [k].
        error: Why there is no hypothesis, or None.
    """

    id: str
    speaker: str
    reference: str
    hypothesis: str
    edits: Edits
    unit: EditRate = field(repr=False)
    statistics: Mapping[str, Vector] = field(repr=False)
    error: str | None = None

    @property
    def errors(self) -> int:
        """Substituted, deleted and inserted words."""
        return self.edits.substitutions + self.edits.deletions + self.edits.insertions

    @property
    def words(self) -> int:
        """Words of the reference."""
        return self.edits.hits + self.edits.substitutions + self.edits.deletions

    @property
    def wrong(self) -> bool:
        """Whether anything is wrong with it, a failure to decode it included."""
        return self.errors > 0 or self.error is not None

    @property
    def rate(self) -> float:
        """Errors per word; where the reference is empty 0.0 without errors, else NaN."""
        return self.unit.value(np.array(self.edits, dtype=np.float64))

    @property
    def characters(self) -> int:
        """Characters of the reference, single spaces between words included."""
        return len(self.reference)

    @property
    def character_errors(self) -> int:
        """Substituted, deleted and inserted characters."""
        return Levenshtein.distance(self.reference, self.hypothesis)

    @cached_property
    def alignment(self) -> tuple[AlignedWord, ...]:
        """The aligned words, a path with the fewest errors."""
        return align_words(self.unit.units(self.reference), self.unit.units(self.hypothesis))


@dataclass(frozen=True)
class Measure:
    """One metric of one set.

    Attributes:
        metric: Which.
        total: The sum of its statistics, float64 [k].
        value: The metric of it.
        by_utterance: The interval over utterances.
        by_speaker: The interval over speakers; None where there are not two to compare.
    """

    metric: Metric
    total: Vector = field(repr=False)
    value: float
    by_utterance: Interval
    by_speaker: Interval | None = None

    @property
    def interval(self) -> Interval:
        """The interval that is shown: over speakers where they are known."""
        return self.by_speaker or self.by_utterance

    @property
    def low(self) -> float:
        """Lower end of the shown interval; NaN where there is none to show."""
        return self.interval.low if self.interval.can_be_shown else math.nan

    @property
    def high(self) -> float:
        """Upper end of it."""
        return self.interval.high if self.interval.can_be_shown else math.nan

    @property
    def numbers(self) -> dict[str, float]:
        """The value and the ends of its intervals, by the names that a log gives them."""
        name = self.metric.name
        found = {
            name: self.value,
            f"{name}_low": self.by_utterance.low,
            f"{name}_high": self.by_utterance.high,
        }
        if self.by_speaker is not None:
            found[f"{name}_speakers_low"] = self.by_speaker.low
            found[f"{name}_speakers_high"] = self.by_speaker.high
        return found


@dataclass(frozen=True)
class Scores:
    """The scores of one set.

    Attributes:
        measures: Its metrics by name, the first to be shown first.
        best: The name of the one that models are compared by.
        unit: What errors are counted in: words, or mixed units.
        edits: The errors of all utterances.
        failed: Utterances without a hypothesis, each counted with all its words as deleted.
        empty_references: Utterances whose reference has no word after normalisation. They
            add nothing to the denominator; what was recognized in them counts as insertions.
        normalizer: ``name@version``.
    """

    measures: Mapping[str, Measure]
    best: str
    unit: EditRate
    edits: Edits
    utterances: int
    sentence_error_rate: float
    failed: int
    empty_references: int
    normalizer: str
    bootstrap_samples: int
    bootstrap_seed: int
    per_utterance: Sequence[UtteranceScore] = field(repr=False)

    def __getitem__(self, name: str) -> Measure:
        return self.measures[name]

    @property
    def first(self) -> Measure:
        """The metric that is shown first."""
        return next(iter(self.measures.values()))

    @property
    def words(self) -> int:
        """Words of the references."""
        return self.edits.hits + self.edits.substitutions + self.edits.deletions

    @property
    def error_rate(self) -> float:
        """Errors per word, or per mixed unit, whatever metrics were asked for."""
        return self.unit.value(np.array(self.edits, dtype=np.float64))

    def values_of(self, row: UtteranceScore) -> dict[str, float]:
        """The value of each metric of transcripts for one utterance, by name."""
        return {name: self[name].metric.value(found) for name, found in row.statistics.items()}

    @property
    def speakers(self) -> int:
        """Known speakers."""
        return len({row.speaker for row in self.per_utterance} - {""})

    @property
    def shown(self) -> list[Measure]:
        """The metrics in the order in which they are shown."""
        return list(self.measures.values())

    def with_measure(self, measure: Measure, order: Sequence[str] | None = None) -> Scores:
        """These scores with one more metric.

        Args:
            measure: It.
            order: Names of the metrics in the order they are shown in; None: it comes last.
        """
        measures = {**self.measures, measure.metric.name: measure}
        names = [*(order or ()), *measures]
        return replace(
            self,
            measures={name: measures[name] for name in dict.fromkeys(names) if name in measures},
        )

    def summary(self) -> dict[str, float]:
        """The numbers alone, without those that are not defined."""
        numbers: dict[str, float] = {}
        details: dict[str, float] = {}
        for measure in self.measures.values():
            numbers |= measure.numbers
            details |= measure.metric.details(measure.total)
        numbers |= {
            "sentence_error_rate": self.sentence_error_rate,
            "substitutions": self.edits.substitutions,
            "deletions": self.edits.deletions,
            "insertions": self.edits.insertions,
            "hits": self.edits.hits,
            "words": self.words,
            **details,
            "utterances": self.utterances,
            "failed": self.failed,
            "empty_references": self.empty_references,
        }
        if self.speakers:
            numbers["speakers"] = self.speakers
        return {name: value for name, value in numbers.items() if not math.isnan(value)}


def score(
    hypotheses: Sequence[Hypothesis],
    *,
    normalizer: str,
    bootstrap_samples: int,
    bootstrap_seed: int,
    choice: Choice | None = None,
) -> Scores:
    """Score every hypothesis of a set against its reference.

    Args:
        hypotheses: One for each utterance of the set.
        normalizer: Name of the text normaliser, see ``normalize.py``.
        bootstrap_samples: Resamples for the interval; 0: no interval, its ends are NaN, as
            they are for a single utterance.
        bootstrap_seed: Seed of the resamples.
        choice: Which metrics; None: those of its script.

    Raises:
        UserError: The set is empty, no reference has a word after normalisation, or a plug-in's
            metric fails.
    """
    normalize = get_normalizer(normalizer)
    choice = choice or Choice()
    texts = [
        (normalize(h.reference, h.language), normalize(h.text, h.language)) for h in hypotheses
    ]
    references = [reference for reference, _ in texts]
    unit, metrics = errors_of(references), choice.metrics(references)
    rows = [
        _row(hypothesis, reference, recognized, unit, metrics)
        for hypothesis, (reference, recognized) in zip(hypotheses, texts, strict=True)
    ]
    if not any(row.words for row in rows):
        raise UserError(
            f"No error rate can be given: none of the {len(rows)} references has a word"
            f" after normalisation ({normalize.identity}).",
            where="the references",
            fix="look at the transcripts; the normaliser none keeps all that is in them",
        )
    return score_rows(
        rows,
        metrics,
        best=choice.best,
        normalizer=normalize.identity,
        bootstrap_samples=bootstrap_samples,
        bootstrap_seed=bootstrap_seed,
    )


def _row(
    hypothesis: Hypothesis,
    reference: str,
    recognized: str,
    unit: EditRate,
    metrics: Sequence[Metric],
) -> UtteranceScore:
    """The errors of one utterance, of its normalised reference and hypothesis."""
    edits = count_edits(unit.units(reference), unit.units(recognized))
    statistics = {
        metric.name: _statistics(metric, unit, edits, hypothesis, reference, recognized)
        for metric in metrics
    }
    return UtteranceScore(
        id=hypothesis.id,
        speaker=hypothesis.speaker or "",
        reference=reference,
        hypothesis=recognized,
        edits=edits,
        unit=unit,
        statistics=statistics,
        error=hypothesis.error,
    )


def _statistics(
    metric: Metric,
    unit: EditRate,
    edits: Edits,
    hypothesis: Hypothesis,
    reference: str,
    recognized: str,
) -> Vector:
    if metric.name == unit.name:  # counted already
        return np.array(edits, dtype=np.float64)
    if metric.normalized:
        return metric.statistics(reference, recognized)
    return metric.statistics(hypothesis.reference, hypothesis.text)


def score_rows(
    rows: Sequence[UtteranceScore],
    metrics: Sequence[Metric],
    *,
    best: str | None,
    normalizer: str,
    bootstrap_samples: int,
    bootstrap_seed: int,
) -> Scores:
    """The scores of utterances that are counted already, as those of one speaker.

    Where no reference has a word, error rates are NaN, or 0.0 without errors.
    """
    measures = measures_of(
        [(m, np.stack([row.statistics[m.name] for row in rows])) for m in metrics],
        [row.speaker for row in rows],
        samples=bootstrap_samples,
        seed=bootstrap_seed,
    )
    counts = np.array([row.edits for row in rows], dtype=np.int64)
    return Scores(
        measures=measures,
        best=best or metrics[0].name,
        unit=rows[0].unit,
        edits=Edits(*counts.sum(axis=0).tolist()),
        utterances=len(rows),
        sentence_error_rate=sum(row.wrong for row in rows) / len(rows),
        failed=sum(row.error is not None for row in rows),
        empty_references=sum(row.words == 0 for row in rows),
        normalizer=normalizer,
        bootstrap_samples=bootstrap_samples,
        bootstrap_seed=bootstrap_seed,
        per_utterance=list(rows),
    )


def measures_of(
    measured: Sequence[tuple[Metric, NDArray[np.float64]]],
    speakers: Sequence[str],
    *,
    samples: int,
    seed: int,
) -> dict[str, Measure]:
    """Metrics of the same utterances with their intervals, by name.

    Args:
        measured: Each metric with its statistics, float64 [utterances, k].
        speakers: Who speaks in each utterance, "" where that is not known.
        samples: Resamples for the intervals; 0: none.
        seed: Seed of the resamples.
    """
    ends = bootstrap(measured, samples=samples, seed=seed)
    by_speaker = speaker_intervals(measured, speakers, samples=samples, seed=seed)
    method = f"percentile bootstrap over {len(speakers)} utterances"
    measures = {}
    for position, (metric, statistics) in enumerate(measured):
        total = statistics.sum(axis=0)
        measures[metric.name] = Measure(
            metric=metric,
            total=total,
            value=metric.value(total),
            by_utterance=Interval(*ends[position], method, len(speakers)),
            by_speaker=by_speaker[position] if by_speaker else None,
        )
    return measures


def without_interval(metric: Metric, total: Vector) -> Measure:
    """A measure of which nothing but the sum is known, as the evaluation loss."""
    return Measure(metric, total, metric.value(total), NO_INTERVAL)
