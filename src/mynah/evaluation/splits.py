"""All evaluation splits of a run: measured while it trains, and in full at its end."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mynah import console
from mynah.evaluation.decode import examples
from mynah.evaluation.evaluate import Evaluation, evaluate_split
from mynah.evaluation.metrics.choice import Choice
from mynah.evaluation.n_best.lists import check_n_best
from mynah.evaluation.n_best.rates import n_best_rates
from mynah.evaluation.terms.listed import check_terms

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.corpus import Corpus
    from mynah.models.family import Family


def check_scoring(config: Config) -> None:
    """See that splits can be scored, before anything is spent.

    Raises:
        UserError: A metric cannot be loaded, or ``evaluation.terms`` cannot be read.
    """
    Choice.of(config).check()
    check_terms(config)


def periodic_evaluation(
    config: Config, family: Family, corpora: Mapping[str, Corpus]
) -> Callable[[int], dict[str, float]]:
    """A callable that measures all splits at a step and gives metrics by name.

    The first split's metrics are ``eval_wer``, …; another's carry its name, as
    ``eval_test_wer``: the first decides which checkpoint is best.
    """

    check_n_best(config, family)

    def measure_splits(step: int) -> dict[str, float]:
        metrics: dict[str, float] = {}
        for position, (name, corpus) in enumerate(corpora.items()):
            found = evaluate_split(family, corpus, config, name=name)
            prefix = "eval_" if position == 0 else f"eval_{name}_"
            metrics |= {prefix + key: value for key, value in found.scores.summary().items()}
            if position == 0:
                for pair in examples(found.hypotheses, config.training.show_examples):
                    console.say(f"    reference:  {pair.reference}")
                    console.say(f"    hypothesis: {pair.text}")
        return metrics

    return measure_splits


def measured(
    config: Config, family: Family, corpora: Mapping[str, Corpus]
) -> dict[str, Evaluation]:
    """The final, full measurement of every evaluation split, and of those measured once.

    Raises:
        UserError: Several hypotheses are asked of a model that gives one, or see
            :func:`evaluate_split`.
    """
    check_n_best(config, family)
    found = {}
    for name, corpus in corpora.items():
        one = evaluate_split(family, corpus, config, name=name)
        if config.evaluation.n_best:
            rates = n_best_rates(family, corpus, config, one.hypotheses, name=name)
            one = dataclasses.replace(one, n_best=rates)
        found[name] = one
    return found
