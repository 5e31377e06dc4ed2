"""Paired comparisons, against scipy, numpy and every exchange by hand."""

from __future__ import annotations

import importlib.util
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from tiers import fast_where

from mynah.evaluation.comparing.paired import compare, difference_of
from mynah.evaluation.hypothesis import Hypothesis
from mynah.evaluation.metrics.bleu import Bleu
from mynah.evaluation.metrics.word_error_rate import WordErrorRate
from mynah.evaluation.score import score

WER = WordErrorRate()


def utterances(*triples: tuple[str, str], speakers=None):
    """Scores of (reference, hypothesis) pairs."""
    found = [
        Hypothesis(
            id=f"u{row}",
            reference=reference,
            text=text,
            duration_seconds=1.0,
            speaker=speakers[row] if speakers else None,
        )
        for row, (reference, text) in enumerate(triples)
    ]
    scores = score(found, normalizer="none", bootstrap_samples=0, bootstrap_seed=0)
    return scores.per_utterance


def errors_of(errors, words):
    """Statistics of utterances with so many substitutions in so many words."""
    errors, words = np.asarray(errors), np.asarray(words)
    nothing = np.zeros_like(errors)
    return np.stack([words - errors, errors, nothing, nothing], axis=1).astype(float)


def difference(before, after, words, speakers=None, samples=1000):
    return difference_of(
        WER,
        errors_of(before, words),
        errors_of(after, words),
        speakers or [""] * len(words),
        samples=samples,
        seed=0,
    )


def test_a_comparison_counts_as_on_paper():
    references = ["a b c d", "a b", "a b c", "a"]
    old = utterances(*zip(references, ["a x c y", "a b", "a b c", "a"], strict=True))
    new = utterances(*zip(references, ["a b c d", "a b", "a b c z", "a"], strict=True))
    found = compare(old, new, [WER], samples=100, seed=0)
    assert (found.utterances, found.won, found.lost) == (4, 1, 1)
    assert found.first.before == pytest.approx(2 / 10)
    assert found.first.after == pytest.approx(1 / 10)
    assert found.first.value == pytest.approx(-1 / 10)
    assert found.first.better


def test_a_metric_that_is_to_be_high_gets_better_by_growing():
    old = utterances(("a b c d e", "x y z"))
    new = utterances(("a b c d e", "a b c d e"))
    bleu = Bleu()
    for rows in (old, new):
        rows[0].statistics["bleu"] = bleu.statistics(rows[0].reference, rows[0].hypothesis)
    found = compare(old, new, [bleu], samples=0, seed=0).first
    assert found.value > 0 and found.better
    assert math.isnan(found.p_value) and not found.interval.exists


@pytest.mark.parametrize(
    "changed",
    [
        lambda rows: rows[:-1],
        lambda rows: [*rows[1:], rows[0]],
        lambda rows: utterances(("a", "a"), ("another reference", "b")),
        lambda rows: [],
    ],
)
def test_other_utterances_cannot_be_compared(changed):
    rows = utterances(("a", "a"), ("b", "c"))
    with pytest.raises(ValueError, match="same utterances"):
        compare(rows, changed(rows), [WER], samples=10, seed=0)
    with pytest.raises(ValueError, match="same utterances"):
        compare(changed(rows), rows if changed(rows) else [], [WER], samples=10, seed=0)


def test_with_few_pairs_that_differ_the_p_value_is_exact():
    generator = np.random.default_rng(3)
    words = generator.integers(3, 9, 30)
    before = generator.integers(0, 3, 30)
    after = before.copy()
    after[:8] = np.maximum(0, before[:8] + np.array([-1, -2, 1, -1, -1, 1, -2, -1]))
    found = difference(before, after, words)
    # Every exchange by hand.
    change = (after - before)[after != before]
    values = [
        sum(sign * one for sign, one in zip(signs, change, strict=True))
        for signs in itertools.product([1, -1], repeat=len(change))
    ]
    expected = np.mean([abs(value) >= abs(sum(change)) for value in values])
    assert found.p_value == pytest.approx(expected, abs=1e-12)
    theirs = stats.permutation_test(
        (after[:8], before[:8]),
        lambda new, old, axis: np.sum(new - old, axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
    )
    assert found.p_value == pytest.approx(theirs.pvalue, abs=1e-12)
    assert found.test == "paired permutation test over 30 utterances"


def test_with_many_pairs_the_p_value_is_scipy_s_up_to_chance():
    generator = np.random.default_rng(5)
    words = generator.integers(4, 12, 200)
    before = generator.integers(0, 4, 200)
    after = np.clip(before + generator.integers(-2, 3, 200) - (generator.random(200) < 0.12), 0, 4)
    theirs = stats.permutation_test(
        (after, before),
        lambda new, old, axis: np.sum(new - old, axis=axis),
        permutation_type="samples",
        n_resamples=20_000,
        rng=np.random.default_rng(0),
    )
    assert 0.005 < theirs.pvalue < 0.5  # so that the comparison says something
    assert difference(before, after, words).p_value == pytest.approx(theirs.pvalue, abs=0.015)


def test_without_a_difference_there_is_no_evidence():
    found = difference([1, 0, 2], [1, 0, 2], [4, 4, 4])
    assert found.p_value == 1.0
    assert (found.interval.low, found.interval.high) == (0.0, 0.0)


def test_over_few_speakers_it_is_the_jackknife_t_of_the_textbook():
    generator = np.random.default_rng(7)
    words = generator.integers(4, 12, 60)
    before = generator.integers(0, 4, 60)
    after = np.maximum(0, before - generator.integers(0, 3, 60) + (generator.random(60) < 0.3))
    speakers = [f"s{row % 6}" for row in range(60)]
    found = difference(before, after, words, speakers)
    # Leave each speaker out, by a loop.
    names = np.array(speakers)
    rates = [
        (after[names != name].sum() - before[names != name].sum()) / words[names != name].sum()
        for name in sorted(set(speakers))
    ]
    value = (after.sum() - before.sum()) / words.sum()
    error = math.sqrt(5 / 6 * sum((rate - np.mean(rates)) ** 2 for rate in rates))
    half = stats.t.ppf(0.975, 5) * error
    assert found.value == pytest.approx(value)
    assert found.interval.low == pytest.approx(value - half)
    assert found.interval.high == pytest.approx(value + half)
    assert found.interval.low < 0  # a difference may well be negative
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(value) / error, 5), abs=1e-9)
    assert "jackknife-t over 6 speakers" in found.test


def test_speakers_who_all_gain_the_same_are_one_exchange_in_so_many():
    # Two of the 16 ways to exchange the systems of four speakers are as extreme: all, or none.
    found = difference([2] * 4, [1] * 4, [4] * 4, ["a", "b", "c", "d"])
    assert found.p_value == 2 / 2**4


def test_over_two_speakers_the_interval_is_not_informative():
    found = difference([2, 2, 1, 1], [1, 1, 1, 0], [4, 4, 4, 4], ["a", "a", "b", "b"])
    assert not found.interval.informative
    assert found.interval.groups == 2


def test_over_thirty_speakers_speakers_are_exchanged_and_not_utterances():
    """Each speaker's two utterances change by the same, so that exchanging utterances would find
    twice the evidence that there is."""
    generator = np.random.default_rng(11)
    change = generator.choice([-1, 0, 1], 40, p=[0.45, 0.3, 0.25])
    before = np.full(80, 2)
    after = before + np.repeat(change, 2)
    speakers = [f"s{row // 2:02d}" for row in range(80)]
    found = difference(before, after, np.full(80, 10), speakers)
    theirs = stats.permutation_test(
        (change, np.zeros(40)),
        lambda new, old, axis: np.sum(new - old, axis=axis),
        permutation_type="samples",
        n_resamples=20_000,
        rng=np.random.default_rng(0),
    )
    assert found.p_value == pytest.approx(theirs.pvalue, abs=0.015)
    assert found.test == "paired permutation test over 40 speakers"


def test_the_paired_interval_is_a_bootstrap_of_the_differences():
    generator = np.random.default_rng(13)
    words = generator.integers(4, 12, 150)
    before = generator.integers(1, 4, 150)
    after = np.maximum(0, before - (generator.random(150) < 0.4))
    found = difference(before, after, words, samples=4000)
    theirs = stats.bootstrap(
        (after - before, words),
        lambda change, said, axis: change.sum(axis=axis) / said.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=4000,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert found.interval.low == pytest.approx(theirs.low, abs=0.003)
    assert found.interval.high == pytest.approx(theirs.high, abs=0.003)
    # Unpaired, the same data gives no such thing: either rate alone is known to +-2 points.
    assert found.interval.high - found.interval.low < 0.03


@pytest.mark.parametrize(
    "speakers", fast_where(bool, [None, [f"s{row % 8}" for row in range(200)]])
)
def test_where_models_are_alike_one_comparison_in_twenty_is_significant(speakers):
    """The level of the tests, by simulation."""
    generator = np.random.default_rng(17)
    words = np.full(200, 8)
    wrong = 0
    for _ in range(150):
        skill = generator.beta(2, 18, 200)
        before, after = generator.binomial(words, skill), generator.binomial(words, skill)
        wrong += difference(before, after, words, speakers, samples=50).p_value < 0.05
    assert 1 <= wrong <= 18  # 7.5 expected, with a standard deviation below 3


@pytest.mark.long
@pytest.mark.parametrize("speakers", [4, 10, 30])
def test_the_interval_holds_the_true_difference_as_often_as_it_says(speakers):
    """Simulated corpora whose true difference is known: benchmarks/paired_tests.py."""
    assert 0.90 <= simulation("paired_tests").coverage(speakers, 400) <= 0.97


@pytest.mark.long
def test_two_equal_systems_are_called_different_as_rarely_as_the_level_says():
    assert 0.03 <= simulation("paired_tests").rejections(20, 1000) <= 0.07


def simulation(name):
    """A module of benchmarks/."""
    file = Path(__file__).parents[4] / "benchmarks" / f"{name}.py"
    specification = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
