"""The error rate of rescored hypotheses by their weights: they are decoded once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from mynah.config.naming.language_model import is_file, weight_of
from mynah.errors import UserError
from mynah.evaluation.hypothesis import Hypothesis
from mynah.evaluation.n_best.lists import check_n_best, decode_n_best
from mynah.evaluation.n_best.rates import rates_of, read_rescorer

if TYPE_CHECKING:
    from mynah.config.schema import Config, ModelConfig
    from mynah.data.corpus import Corpus
    from mynah.evaluation.n_best.rates import NBestRates
    from mynah.models.family import Family

_SIZE = 5  # hypotheses of each utterance, where no number is asked for


def rescored_rates(
    family: Family, corpus: Corpus, config: Config, *, name: str
) -> Callable[[ModelConfig], NBestRates]:
    """Decode a corpus by a beam; what comes back gives the rates with other weights.

    Args:
        family: One that gives several hypotheses.
        corpus: What the weights are chosen on.
        config: ``evaluation.n_best``, or 0 for five; ``model.language_model`` names a file.
        name: The split.

    Raises:
        UserError: The model gives one hypothesis alone, or the language model cannot be read.
    """
    size = config.evaluation.n_best or _SIZE
    config = dataclasses.replace(
        config, evaluation=dataclasses.replace(config.evaluation, n_best=size)
    )
    check_n_best(config, family)
    if not is_file(config.model.language_model):
        raise UserError(
            "N-grams of a file rescore hypotheses, and none is named.",
            where=f"model.language_model={config.model.language_model}",
            fix="model.language_model=FILE.arpa",
        )
    normalizer = config.evaluation.normalizer
    rescorer = read_rescorer(
        dataclasses.replace(config.model, language_model_weight=1.0, word_bonus=0.0), normalizer
    )
    assert rescorer is not None
    lists = decode_n_best(family, corpus, config, description=f"{size} hypotheses each of {name}")
    rescorer.say_what_it_knows(one.text for found in lists for one in found[:1])
    logs = {one.text: rescorer.worth(one.text) for found in lists for one in found}
    words = {text: rescorer.word_count(text) for text in logs}
    hypotheses = [
        Hypothesis(
            corpus.ids[row],
            corpus.texts[row],
            lists[row][0].text if lists[row] else "",
            corpus.durations[row],
        )
        for row in range(len(corpus))
    ]

    def rates(settings: ModelConfig) -> NBestRates:
        weight, bonus = weight_of(settings.language_model_weight), settings.word_bonus
        return rates_of(
            lists,
            hypotheses,
            normalizer=normalizer,
            worth=lambda text: weight * logs[text] + bonus * words[text],
        )

    return rates
