"""Intervals over speakers, against plain numpy and simulated corpora."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from mynah.evaluation.hypothesis import Hypothesis
from mynah.evaluation.intervals.speakers import speaker_intervals
from mynah.evaluation.metrics.word_error_rate import WordErrorRate
from mynah.evaluation.score import score
from mynah.evaluation.summary import interval_note

WER = WordErrorRate()


def simulated(generator, speakers: int, utterances: int = 25, words: int = 10):
    """(edits [n], words [n], speaker of each [n]): each speaker has an error rate of their own.

    Rates are Beta(2, 14): 12.5 % on average, with a standard deviation of 8 % over speakers.
    """
    rates = generator.beta(2, 14, size=speakers)
    speaker = np.repeat(np.arange(speakers), utterances)
    return generator.binomial(words, rates[speaker]), np.full(len(speaker), words), speaker


def statistics(errors, words):
    """Vectors of word error rate in which all errors are substitutions."""
    zero = np.zeros_like(errors)
    return np.stack([words - errors, errors, zero, zero], axis=1).astype(np.float64)


def interval(errors, words, speaker, samples=300, seed=0):
    names = [f"s{one}" for one in speaker]
    found = speaker_intervals([(WER, statistics(errors, words))], names, samples=samples, seed=seed)
    return found[0] if found else None


def jackknife(errors, words, speaker):
    """The same by its textbook loop, with scipy's quantile."""
    names = np.unique(speaker)
    rate = errors.sum() / words.sum()
    left_out = [errors[speaker != n].sum() / words[speaker != n].sum() for n in names]
    count = len(names)
    variance = (count - 1) / count * sum((one - np.mean(left_out)) ** 2 for one in left_out)
    half = stats.t.ppf(0.975, count - 1) * math.sqrt(variance)
    return max(0.0, rate - half), rate + half


def bootstrap(errors, words, speaker, samples, seed):
    """Speakers sampled with replacement, one resample after the other."""
    names = np.unique(speaker)
    sums = [(errors[speaker == n].sum(), words[speaker == n].sum()) for n in names]
    generator = np.random.default_rng(seed)
    rates = []
    for _ in range(samples):
        sampled = generator.integers(0, len(names), size=len(names))
        rates.append(sum(sums[i][0] for i in sampled) / sum(sums[i][1] for i in sampled))
    return tuple(np.percentile(rates, [2.5, 97.5]))


@pytest.mark.parametrize("speakers", [2, 4, 5, 12, 29])
def test_below_thirty_speakers_it_is_the_textbook_jackknife(speakers):
    corpus = simulated(np.random.default_rng(speakers), speakers)
    found = interval(*corpus)
    assert (found.low, found.high) == pytest.approx(jackknife(*corpus), abs=1e-12)
    assert found.method == f"jackknife-t over {speakers} speakers"
    assert found.informative == (speakers >= 5)


@pytest.mark.parametrize("speakers", [30, 45])
def test_from_thirty_speakers_on_it_is_a_bootstrap_over_speakers(speakers):
    corpus = simulated(np.random.default_rng(speakers), speakers)
    found = interval(*corpus, samples=200, seed=9)
    # Speakers come in the order of their names there, and of their numbers in the loop.
    order = np.argsort([f"s{n}" for n in range(speakers)])
    errors, words, speaker = corpus
    renamed = np.argsort(order)[speaker]
    assert (found.low, found.high) == pytest.approx(
        bootstrap(errors, words, renamed, 200, 9), abs=1e-12
    )
    assert found.method == f"percentile bootstrap over {speakers} speakers"


def coverage(speakers: int, trials: int, seed: int) -> float:
    generator = np.random.default_rng(seed)
    inside = 0
    for trial in range(trials):
        found = interval(*simulated(generator, speakers), seed=trial)
        inside += found.low <= 2 / 16 <= found.high
    return inside / trials


@pytest.mark.parametrize("speakers", [4, 10, 30])
def test_it_covers_the_rate_of_all_speakers_about_as_often_as_it_says(speakers):
    # 400 trials of 95 % are 95 % ± 2 %, three standard deviations 3.3 %.
    assert 0.88 <= coverage(speakers, 400, seed=speakers) <= 0.99


@pytest.mark.long
@pytest.mark.parametrize("speakers", [4, 10, 30])
def test_it_covers_between_90_and_97_per_cent_of_the_time(speakers):
    assert 0.90 <= coverage(speakers, 10_000, seed=100 + speakers) <= 0.97


def test_over_utterances_it_would_be_far_too_narrow():
    generator = np.random.default_rng(1)
    inside = 0
    for _ in range(200):
        errors, words, _ = simulated(generator, 10)
        sampled = generator.integers(0, len(errors), size=(200, len(errors)))
        rates = errors[sampled].sum(axis=1) / words[sampled].sum(axis=1)
        low, high = np.percentile(rates, [2.5, 97.5])
        inside += low <= 2 / 16 <= high
    assert inside / 200 < 0.7


def hypotheses(speakers: list[str | None]) -> list[Hypothesis]:
    recognized = ["a b c d", "a b c x", "a b", "a b c d"]
    return [
        Hypothesis(f"u{row}", "a b c d", recognized[row % 4], 1.0, speaker=speaker)
        for row, speaker in enumerate(speakers)
    ]


def scored(speakers: list[str | None], samples: int = 100):
    return score(
        hypotheses(speakers), normalizer="none", bootstrap_samples=samples, bootstrap_seed=0
    )


def test_known_speakers_are_what_is_shown_and_both_kinds_are_kept():
    found = scored([f"s{row % 6}" for row in range(30)])["wer"]
    assert found.interval is found.by_speaker
    assert found.by_utterance.method == "percentile bootstrap over 30 utterances"
    plain = scored([None] * 30)["wer"]
    assert (plain.low, plain.high) == (found.by_utterance.low, found.by_utterance.high)
    assert {"wer_low", "wer_speakers_low", "wer_speakers_high"} <= scored(
        [f"s{row % 6}" for row in range(30)]
    ).summary().keys()


@pytest.mark.parametrize(
    ("speakers", "said"),
    [
        ([None] * 8, "over 8 utterances (no speaker is known)"),
        (["ann"] * 8, "over 8 utterances (one speaker)"),
        (["ann", "bob", "cem", "ann"] * 2, "over 3 speakers are not informative"),
        ([f"s{n}" for n in range(8)], "jackknife-t over 8 speakers"),
        ([*(f"s{n}" for n in range(6)), None, None], "jackknife-t over 7 speakers"),
    ],
)
def test_what_an_interval_is_over_is_said(speakers, said):
    assert said in interval_note(scored(speakers))


@pytest.mark.parametrize(("utterances", "said"), [(49, True), (50, False)])
def test_an_interval_of_fewer_than_fifty_utterances_is_said_to_say_little(utterances, said):
    note = interval_note(scored([None] * utterances))
    assert ("Of fewer than 50 utterances they say little" in note) is said


def test_few_speakers_show_no_ends():
    found = scored(["ann", "bob"] * 4)["wer"]
    assert math.isnan(found.low) and math.isnan(found.high)
    assert not math.isnan(found.by_utterance.low)


def test_without_resamples_there_is_no_interval_at_all():
    found = scored([f"s{n}" for n in range(8)], samples=0)["wer"]
    assert not found.interval.exists
