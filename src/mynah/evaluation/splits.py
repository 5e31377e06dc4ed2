"""All evaluation splits of a run: measured while it trains, and in full at its end."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mynah import console, distributed
from mynah.evaluation.decoding.decode import examples
from mynah.evaluation.evaluate import Evaluation, evaluate_split
from mynah.evaluation.metrics.choice import Choice
from mynah.evaluation.n_best.lists import check_n_best
from mynah.evaluation.n_best.rates import n_best_rates
from mynah.evaluation.terms.listed import check_terms

if TYPE_CHECKING:
    from mynah.config.schema import Config
    from mynah.data.corpus import Corpus
    from mynah.models.family import Family

_PRECISIONS = ("bf16", "fp16", "bf16_full_eval", "fp16_full_eval")


def check_scoring(config: Config) -> None:
    """See that splits can be scored, before anything is spent.

    Raises:
        UserError: A metric cannot be loaded, or ``evaluation.terms`` cannot be read.
    """
    Choice.of(config).check()
    check_terms(config)


class PeriodicEvaluation:
    """Measures all splits at steps of a training, and keeps what the last one came to.

    The first split's metrics are ``eval_wer``, …; another's carry its name, as
    ``eval_test_wer``: the first decides which checkpoint is best.

    Args:
        config: The settings.
        family: The model.
        corpora: What is measured, by split.

    Raises:
        UserError: Several hypotheses are asked of a model that gives one.
    """

    def __init__(self, config: Config, family: Family, corpora: Mapping[str, Corpus]) -> None:
        check_n_best(config, family)
        self._config = config
        self._family = family
        self._corpora = corpora
        self._step: int | None = None  # of what was measured last, all splits of it
        self._found: dict[str, Evaluation] = {}

    def __call__(self, step: int) -> dict[str, float]:
        """Measure at a step; metrics by name."""
        self._step, self._found = None, {}
        metrics: dict[str, float] = {}
        for position, (name, corpus) in enumerate(self._corpora.items()):
            found = evaluate_split(self._family, corpus, self._config, name=name)
            self._found[name] = found
            prefix = "eval_" if position == 0 else f"eval_{name}_"
            metrics |= {prefix + key: value for key, value in found.scores.summary().items()}
            if position == 0:
                for pair in examples(found.hypotheses, self._config.training.show_examples):
                    console.say(f"    reference:  {pair.reference}")
                    console.say(f"    hypothesis: {pair.text}")
        self._step = step
        return metrics

    @property
    def last(self) -> dict[str, Evaluation]:
        """What the model came to at the last call, by split; empty before one."""
        return dict(self._found)

    def of_step(self, step: int | None) -> dict[str, Evaluation]:
        """What the weights of a step came to, by split, where that is surely what the checkpoint
        of it comes to once it is loaded; empty where it is not known."""
        same = step is not None and step == self._step and computes_alike(self._config)
        return self._found if distributed.from_first(same) else {}


def computes_alike(config: Config) -> bool:
    """Whether a model that trains computes, while it is measured, as one that is loaded does.

    Mixed precision, compilation, sharding, other kernels and recomputed activations stay on the
    model that trains.
    """
    ways = (*_PRECISIONS, "torch_compile", "fsdp", "gradient_checkpointing", "sequence_packing")
    trains = any(getattr(config.training, name, None) for name in (*ways, "use_liger_kernel"))
    return not trains and config.model.quantization is None


def measured(
    config: Config,
    family: Family,
    corpora: Mapping[str, Corpus],
    known: Mapping[str, Evaluation] | None = None,
) -> dict[str, Evaluation]:
    """The final, full measurement of every evaluation split, and of those measured once.

    Args:
        config: The settings.
        family: The model.
        corpora: What is measured, by split.
        known: What the same model came to already, which is not decoded again.

    Raises:
        UserError: Several hypotheses are asked of a model that gives one, or see
            :func:`evaluate_split`.
    """
    check_n_best(config, family)
    known = known or {}
    if again := [name for name in corpora if name in known]:
        console.say(f"Measured already with this model: {', '.join(again)}")
    found = {}
    for name, corpus in corpora.items():
        one = known.get(name) or evaluate_split(family, corpus, config, name=name)
        if config.evaluation.n_best:
            rates = n_best_rates(family, corpus, config, one.hypotheses, name=name)
            one = dataclasses.replace(one, n_best=rates)
        found[name] = one
    return found
