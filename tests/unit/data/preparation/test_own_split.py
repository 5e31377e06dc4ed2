"""``data.eval_splits=[auto]``: the split that a corpus has for measuring."""

from types import SimpleNamespace
from typing import Any

import pytest

from mynah.config.schema import DataConfig
from mynah.data.preparation.own_split import check_measures, with_own_split
from mynah.data.sources.reading.source import UnknownSplitError
from mynah.errors import UserError


def corpus(*splits: str, has_splits: bool = True) -> Any:
    return SimpleNamespace(
        splits=lambda: list(splits),
        has_splits=has_splits,
        unknown_split=lambda name: UnknownSplitError("mine", name, splits),
    )


@pytest.mark.parametrize(
    ("there", "measured", "chosen_by"),
    [
        (("train", "validation", "test"), ["test"], ["validation"]),
        (("train", "dev"), ["validation"], ["validation"]),
        (("train", "test"), ["test"], ["test"]),
        (("train-clean-100", "dev-clean", "test-clean", "test-other"), ["test"], ["validation"]),
    ],
)
def test_a_checkpoint_is_measured_on_test_and_a_training_chooses_by_validation(
    there, measured, chosen_by
):
    assert with_own_split(["auto"], corpus(*there), train=False) == measured
    assert with_own_split(["auto"], corpus(*there), train=True) == chosen_by


def test_all_of_a_corpus_without_splits_is_measured_and_a_part_held_out_of_a_training():
    listing = corpus("train", has_splits=False)
    assert with_own_split(["auto"], listing, train=False) == ["train"]
    assert with_own_split(["auto"], listing, train=True) is None


def test_one_split_of_another_name_is_the_one_that_is_measured():
    assert with_own_split(["auto"], corpus("calls"), train=False) == ["calls"]


def test_splits_that_say_nothing_have_to_be_named():
    with pytest.raises(UnknownSplitError, match="It has: a, b"):
        with_own_split(["auto"], corpus("a", "b"), train=False)


def test_splits_that_were_named_are_taken():
    assert with_own_split(["a", "b"], corpus("a", "b", "test"), train=False) == ["a", "b"]


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"eval_splits": []}, "data.eval_splits"),
        ({"eval_splits": None, "eval_fraction": 0.0}, "data.eval_splits"),
        ({"mixture": {"a": {"eval_splits": []}, "b": {"eval_splits": []}}}, "data.mixture"),
    ],
)
def test_settings_under_which_nothing_is_measured_are_found(settings, where):
    with pytest.raises(UserError, match="nothing to measure on") as caught:
        check_measures(DataConfig(**settings))
    assert caught.value.where == where


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"eval_splits": ["auto"]},
        {"eval_splits": None},
        {"mixture": {"a": {"eval_splits": []}, "b": {}}},
        {"eval_splits": [], "mixture": {"a": {"eval_splits": ["test"]}}},
    ],
)
def test_settings_under_which_a_split_is_measured_are_not(settings):
    check_measures(DataConfig(**settings))
