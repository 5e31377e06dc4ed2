"""Weights that choose among several hypotheses: decoded once, and measured by hand."""

from __future__ import annotations

import dataclasses
import math

import pytest
from evaluation_fakes import FakeCorpus, FakeFamily

from mynah.config.schema import Config
from mynah.errors import UserError
from mynah.evaluation.n_best.tuning import rescored_rates
from mynah.models.fusion.beam_weights import best_of, tune
from mynah.models.transcript import Transcript

# Of "cat" 1/2, of "cut" 1/8, of the end 1/4, and 1/8 for all other words together.
ARPA = f"""\\data\\
ngram 1=5

\\1-grams:
-99\t<s>
{math.log10(1 / 4)}\t</s>
{math.log10(1 / 8)}\t<unk>
{math.log10(1 / 8)}\tcut
{math.log10(1 / 2)}\tcat

\\end\\
"""


class Greedy(FakeFamily):
    gives_n_best = False
    name = "moonshine"


class Beam(FakeFamily):
    gives_n_best = True
    decoded = 0

    def n_best(self, clips, size):
        assert size == 5
        self.decoded += 1
        return [
            [Transcript("cut cut", (), -1.0), Transcript("cat cat", (), -1.0 - 1.5 * math.log(4))]
            for _ in clips
        ]


@pytest.fixture
def config(tmp_path):
    (tmp_path / "domain.arpa").write_text(ARPA)
    config = Config()
    return dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, language_model=str(tmp_path / "domain.arpa")),
    )


def test_the_weight_that_chooses_best_is_found_and_the_corpus_is_decoded_once(config):
    family = Beam(["cat cat"])
    rates = rescored_rates(family, FakeCorpus(["cat cat"]), config, name="validation")
    found = {}

    def rescored(settings):
        found[settings.language_model_weight] = rates(settings).rescored
        return found[settings.language_model_weight]

    # Two words that are four times as likely make up for 1.5 · ln 4 from a weight of 0.75 on.
    best = best_of(tune(config.model, rescored))
    assert {weight: rate for weight, rate in found.items() if weight < 0.75} == {
        0.7: 1.0, 0.4: 1.0, 0.2: 1.0
    }  # fmt: skip
    assert {weight: rate for weight, rate in found.items() if weight > 0.75} == {
        1.0: 0.0, 1.4: 0.0, 2.0: 0.0
    }  # fmt: skip
    assert best.settings["language_model_weight"] == 1.0 and best.rate == 0.0
    assert family.decoded == 1
    assert rates(config.model).first == 1.0 and rates(config.model).oracle == 0.0


def test_a_model_of_one_hypothesis_and_n_grams_that_nobody_named_are_refused(config):
    corpus = FakeCorpus(["cat"])
    with pytest.raises(UserError, match="gives one hypothesis"):
        rescored_rates(Greedy(["cat"]), corpus, config, name="validation")
    with pytest.raises(UserError, match="none is named"):
        rescored_rates(Beam(["cat"]), corpus, Config(), name="validation")
