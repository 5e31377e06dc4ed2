"""Weights of a beam are chosen one after the other, on a split that is not a test split."""

from __future__ import annotations

import itertools

import pytest

from mynah.config.schema import ModelConfig
from mynah.errors import UserError
from mynah.models.fusion.beam_weights import best_of, development_split, tune, tuned_names


def rate(config):
    """Lowest at a weight of 1 and a bonus of -1, as a bowl without a ridge."""
    return (config.language_model_weight - 1.0) ** 2 + 0.1 * (config.word_bonus + 1.0) ** 2


def test_in_a_bowl_the_best_of_all_pairs_is_found_with_fewer_measurements():
    tried = {"language_model_weight": (0.7, 0.4, 1.0, 1.4), "word_bonus": (0.0, 1.0, -1.0)}
    trials = tune(ModelConfig(language_model="words"), rate, tried=tried)
    every = {
        pair: (pair[0] - 1.0) ** 2 + 0.1 * (pair[1] + 1.0) ** 2
        for pair in itertools.product(*tried.values())
    }
    assert tuple(best_of(trials).settings.values()) == min(every, key=every.get)
    assert len(trials) < len(every)
    assert len({tuple(trial.settings.values()) for trial in trials}) == len(trials)


def test_what_improves_nothing_changes_nothing():
    config = ModelConfig(language_model="words", language_model_weight=0.55, word_bonus=0.25)
    best = best_of(tune(config, lambda tried: 0.3))
    assert best.settings == {"language_model_weight": 0.55, "word_bonus": 0.25}


def test_only_what_joins_the_beam_has_weights():
    own = "internal_language_model_weight"
    joined = ModelConfig(language_model="x.arpa")
    assert own in tuned_names(joined, predicts_labels=True) and own not in tuned_names(joined)
    hot = ModelConfig(context_file="names.txt")
    assert tuned_names(hot, predicts_labels=True) == ("context_weight",)
    assert tuned_names(ModelConfig(context_file="names.txt")) == ("context_weight",)
    assert tuned_names(ModelConfig(language_model="words", context_file="n.txt")) == (
        "language_model_weight", "word_bonus", "context_weight",
    )  # fmt: skip
    with pytest.raises(UserError, match="no weight to tune"):
        tuned_names(ModelConfig())


@pytest.mark.parametrize("name", ["test", "an4.test", "test.clean", "dev-test"])
def test_a_test_split_is_never_tuned_on(name):
    with pytest.raises(UserError, match="is a test split"):
        development_split({name: None, "validation": None})


@pytest.mark.parametrize("name", ["validation", "dev", "held_out", "contest", "latest"])
def test_a_development_split_is(name):
    assert development_split({name: None, "test": None}) == name


def test_without_a_split_there_is_nothing_to_tune_on():
    with pytest.raises(UserError, match="no split to tune on"):
        development_split({})
