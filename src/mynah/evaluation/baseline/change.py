"""What tuning changed: base and tuned model on the same utterances, in two notations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING

from mynah.config.best_metric import asked_metrics
from mynah.errors import UserError
from mynah.evaluation.baseline.before import Before, MeasuredBase
from mynah.evaluation.comparing.paired import Comparison, Difference, compare
from mynah.evaluation.decoding.decode import decode
from mynah.evaluation.hypothesis import Hypothesis
from mynah.evaluation.metrics.choice import Choice
from mynah.evaluation.normalize import ONE_NOTATION
from mynah.evaluation.notation import is_english
from mynah.evaluation.score import Scores, score

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.evaluation.evaluate import Evaluation
    from mynah.models.family import Family


@dataclass(frozen=True)
class Rates:
    """Base and tuned model under one normaliser.

    Attributes:
        before: The base's scores.
        after: The tuned model's, of the same utterances.
        comparison: Their paired comparison.
    """

    before: Scores = field(repr=False)
    after: Scores = field(repr=False)
    comparison: Comparison

    @property
    def first(self) -> Difference:
        """The metric that is shown."""
        return self.comparison.first

    @property
    def normalizer(self) -> str:
        """``name@version``."""
        return self.before.normalizer


@dataclass(frozen=True)
class SetChange:
    """One set before and after.

    Attributes:
        name: A split's name, or a guard's.
        guard: Whether it is one that must not get worse.
        of: Utterances of the full set; the comparison may be of a fixed part.
        base: What the base recognized.
        tuned: What the tuned model recognized in the same utterances.
        as_scored: Under ``evaluation.normalizer``.
        one_notation: With both sides in one notation; None where it is not known to be English.
    """

    name: str
    guard: bool
    of: int
    base: Sequence[Hypothesis] = field(repr=False)
    tuned: Sequence[Hypothesis] = field(repr=False)
    as_scored: Rates
    one_notation: Rates | None

    @property
    def fairest(self) -> Rates:
        """What claims rest on: one notation where there is one."""
        return self.one_notation or self.as_scored


@dataclass(frozen=True)
class Changes:
    """All sets before and after.

    Attributes:
        before: The base.
        sets: Splits, then guards.
    """

    before: Before
    sets: Sequence[SetChange]

    @property
    def guards(self) -> list[SetChange]:
        """The sets that must not get worse."""
        return [one for one in self.sets if one.guard]

    def guard_means(self) -> Iterator[tuple[str, float, float]]:
        """(normaliser, base, tuned): the mean over the guards of the rate, each counting alike."""
        if not self.guards:
            return
        scored = [one.as_scored for one in self.guards]
        in_one = [one.one_notation for one in self.guards if one.one_notation is not None]
        for rates in (scored, in_one):
            if len(rates) == len(self.guards):
                yield (
                    rates[0].normalizer,
                    fmean(one.first.before for one in rates),
                    fmean(one.first.after for one in rates),
                )


def base_and_tuned(
    config: Config, before: Before | None, evaluations: Mapping[str, Evaluation], tuned: Family
) -> Changes | None:
    """Compare the tuned model with its base; guards are decoded for it.

    Args:
        config: How is scored.
        before: The base; None: none was measured, and there is nothing to compare with.
        evaluations: The tuned model's, of the same splits.
        tuned: The tuned model.

    Raises:
        ValueError: A split was measured on other utterances than before.
    """
    if before is None:
        return None
    sets = [
        set_change(config, name, measured, evaluations[name].hypotheses, guard=False)
        for name, measured in before.splits.items()
    ]
    for name, measured in before.guards.items():
        hypotheses = decode(
            tuned,
            measured.corpus,
            batch_seconds=config.training.eval_batch_seconds,
            batch_size=config.training.per_device_eval_batch_size,
            description=f"measuring the guard {name}",
        )
        sets.append(set_change(config, name, measured, hypotheses, guard=True))
    return Changes(before, sets)


def set_change(
    config: Config,
    name: str,
    measured: MeasuredBase,
    after: Sequence[Hypothesis],
    *,
    guard: bool,
) -> SetChange:
    """Compare on the base's utterances, picked from whatever the tuned model was measured on.

    Args:
        config: How is scored.
        name: What the set is called.
        measured: The base's part of it.
        after: The tuned model's, of all of the set.
        guard: Whether it must not get worse.

    Raises:
        ValueError: The tuned model was not measured on one of them, or on another transcript.
    """
    by_id = {hypothesis.id: hypothesis for hypothesis in after}
    if missing := [one.id for one in measured.hypotheses if one.id not in by_id]:
        raise ValueError(f"{name}: the tuned model was not measured on {missing[0]}")
    base, tuned = measured.hypotheses, [by_id[one.id] for one in measured.hypotheses]
    if any(old.reference != new.reference for old, new in zip(base, tuned, strict=True)):
        raise ValueError(f"{name}: base and tuned model were measured on other transcripts")
    return SetChange(
        name=name,
        guard=guard,
        of=measured.of,
        base=base,
        tuned=tuned,
        as_scored=_rates(config, base, tuned, config.evaluation.normalizer, Choice.of(config)),
        one_notation=_in_one_notation(config, base, tuned),
    )


def _in_one_notation(
    config: Config, base: Sequence[Hypothesis], tuned: Sequence[Hypothesis]
) -> Rates | None:
    """Word error rates in one notation; None where there is none, or words are not scored."""
    asked = asked_metrics(config)
    languages = [config.model.language or one.language for one in base]
    if asked is not None and "wer" not in asked:
        return None
    if not is_english(languages, [one.reference for one in base]):
        return None
    try:
        return _rates(config, base, tuned, ONE_NOTATION, Choice(asked=("wer",)))
    except UserError:  # no reference has a word: all are "uh", which it leaves out
        return None


def _rates(
    config: Config,
    base: Sequence[Hypothesis],
    tuned: Sequence[Hypothesis],
    normalizer: str,
    choice: Choice,
) -> Rates:
    samples, seed = config.evaluation.bootstrap_samples, config.evaluation.bootstrap_seed
    before, after = (
        score(
            hypotheses,
            normalizer=normalizer,
            bootstrap_samples=samples,
            bootstrap_seed=seed,
            choice=choice,
        )
        for hypotheses in (base, tuned)
    )
    metrics = [measure.metric for measure in before.shown]
    return Rates(
        before,
        after,
        compare(before.per_utterance, after.per_utterance, metrics, samples=samples, seed=seed),
    )
