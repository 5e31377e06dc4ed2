"""Where the errors are: speakers, durations, confused words."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from evaluation_fakes import FakeCorpus, evaluation_of

from mynah.evaluation import breakdown

SAID = ["one two", "three four", "five six", "seven eight"]
RECOGNIZED = ["one two", "three five", "five six", "eight nine ten"]


def test_bins_of_duration_hold_every_utterance_once_and_never_split_a_duration():
    durations = np.round(np.random.default_rng(0).uniform(1, 4, size=85), 1)
    corpus = FakeCorpus(["a b"] * 85, durations=durations)
    bins = breakdown.by_duration(evaluation_of(corpus, ["a c"] * 85))
    assert len(bins) == 8
    assert sum(part.rate.utterances for part in bins) == 85
    assert all(a.high < b.low for a, b in itertools.pairwise(bins))
    assert (bins[0].low, bins[-1].high) == (durations.min(), durations.max())
    assert min(part.rate.utterances for part in bins) >= 5


@pytest.mark.parametrize(("count", "bins"), [(1, 1), (19, 1), (20, 2), (1000, 8)])
def test_there_are_as_many_bins_as_the_utterances_bear(count, bins):
    corpus = FakeCorpus(["a"] * count, durations=np.linspace(1, 2, count))
    assert len(breakdown.by_duration(evaluation_of(corpus, ["a"] * count))) == bins


def test_equal_durations_make_one_bin():
    corpus = FakeCorpus(["a"] * 50, durations=np.ones(50))
    assert len(breakdown.by_duration(evaluation_of(corpus, ["a"] * 50))) == 1


def test_the_most_frequent_errors_are_counted_over_utterances():
    said = ["five", "five", "nine", "the cat", "the dog", "cat"]
    recognized = ["nine", "nine", "five", "cat", "dog", "a cat"]
    rows = evaluation_of(FakeCorpus(said), recognized).scores.per_utterance
    found = breakdown.confusions(rows, most=10)
    assert found.substitutions == [("five", "nine", 2), ("nine", "five", 1)]
    assert found.deletions == [("the", 2)]
    assert found.insertions == [("a", 1)]
    assert breakdown.confusions(rows, most=1).substitutions == [("five", "nine", 2)]


def test_the_worst_utterance_has_the_most_errors_then_the_highest_rate():
    said = ["a b c d", "a b", "a b c", "a b c d"]
    recognized = ["a b c d", "x y", "x y c", "x y z d"]
    assert breakdown.worst_first(evaluation_of(FakeCorpus(said), recognized)) == [3, 1, 2, 0]
