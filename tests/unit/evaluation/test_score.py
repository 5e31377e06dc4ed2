"""Error rates, against jiwer's own, brute force, and a bootstrap written as a loop."""

from __future__ import annotations

import math
import random

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mynah.errors import UserError
from mynah.evaluation.hypothesis import Hypothesis
from mynah.evaluation.intervals.bootstrap import bootstrap
from mynah.evaluation.metrics.edits import AlignedWord
from mynah.evaluation.metrics.sentence_error_rate import SentenceErrorRate
from mynah.evaluation.metrics.word_error_rate import WordErrorRate
from mynah.evaluation.score import score


def hypotheses(*pairs: tuple[str, str]) -> list[Hypothesis]:
    return [
        Hypothesis(id=f"u{row}", reference=reference, text=text, duration_seconds=1.0)
        for row, (reference, text) in enumerate(pairs)
    ]


def scored(*pairs, normalizer="none", samples=0, seed=0):
    return score(
        hypotheses(*pairs), normalizer=normalizer, bootstrap_samples=samples, bootstrap_seed=seed
    )


def levenshtein(a, b) -> int:
    """Edit distance by its recurrence, Wagner and Fischer 1974."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


def random_pairs(count: int, seed: int) -> list[tuple[str, str]]:
    generator = random.Random(seed)

    def sentence(low):
        vocabulary = ["a", "b", "c", "dd", "ee", "fff"]
        return " ".join(generator.choices(vocabulary, k=generator.randint(low, 9)))

    return [(sentence(1), sentence(0)) for _ in range(count)]


def test_rates_and_counts_are_jiwer_s():
    pairs = random_pairs(200, seed=1)
    ours = scored(*pairs)
    references, texts = map(list, zip(*pairs, strict=True))
    theirs = jiwer.process_words(references, texts)
    assert ours["wer"].value == theirs.wer
    assert ours["cer"].value == jiwer.cer(references, texts)
    assert ours.edits == (
        theirs.hits,
        theirs.substitutions,
        theirs.deletions,
        theirs.insertions,
    )
    assert ours.words == sum(len(reference.split()) for reference in references)
    assert ours.summary()["characters"] == sum(map(len, references))


@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abc"), max_size=8))
def test_each_utterance_has_the_fewest_errors_possible(said, recognized):
    row = scored((" ".join(said), " ".join(recognized)), ("x", "x")).per_utterance[0]
    assert row.errors == levenshtein(said, recognized)
    assert row.character_errors == levenshtein(" ".join(said), " ".join(recognized))
    assert row.edits.hits + row.edits.substitutions + row.edits.deletions == len(said) == row.words


@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abc"), max_size=8))
def test_an_alignment_contains_both_texts_and_marks_each_difference(said, recognized):
    row = scored((" ".join(said), " ".join(recognized)), ("x", "x")).per_utterance[0]
    assert [w.reference for w in row.alignment if w.operation != "insert"] == said
    assert [w.hypothesis for w in row.alignment if w.operation != "delete"] == recognized
    for word in row.alignment:
        assert (word.operation == "equal") == (word.reference == word.hypothesis)


def test_an_alignment_reads_as_expected():
    row = scored(("the cat sat down", "the hat sat right down")).per_utterance[0]
    assert row.alignment == (
        AlignedWord("equal", "the", "the"),
        AlignedWord("substitute", "cat", "hat"),
        AlignedWord("equal", "sat", "sat"),
        AlignedWord("insert", "", "right"),
        AlignedWord("equal", "down", "down"),
    )


def test_the_rate_is_of_the_corpus_not_a_mean_over_utterances():
    assert scored(("a", "b"), ("a b c d e f g h i", "a b c d e f g h i"))["wer"].value == 0.1


def test_a_failed_utterance_counts_with_all_its_words_as_deleted():
    rows = hypotheses(("one two three", "one two three"), ("four five", ""))
    rows[1] = Hypothesis("u1", "four five", "", 1.0, error="unreadable")
    result = score(rows, normalizer="none", bootstrap_samples=0, bootstrap_seed=0)
    assert (result.edits.deletions, result.words, result.failed) == (2, 5, 1)
    assert result["wer"].value == 2 / 5
    assert result.sentence_error_rate == 0.5


def test_words_recognized_in_an_empty_reference_are_insertions():
    result = scored(("...", "hello there"), ("two words", "two words"), normalizer="basic")
    assert (result.edits.insertions, result.words, result.empty_references) == (2, 2, 1)
    assert result["wer"].value == 1.0
    assert math.isnan(result.per_utterance[0].rate)


def test_an_empty_reference_recognized_as_nothing_is_right():
    result = scored(("", ""), ("a", "a"))
    assert (result["wer"].value, result.sentence_error_rate) == (0.0, 0.0)
    assert result.per_utterance[0].rate == 0.0


def test_a_set_without_one_reference_word_has_no_rate():
    with pytest.raises(UserError, match="none of the 2 references has a word"):
        scored(("", "a"), ("!", ""), normalizer="basic")
    with pytest.raises(UserError):
        scored()


def test_reference_and_hypothesis_pass_the_same_normaliser():
    result = scored(("Hello, World!", "hello world"), normalizer="basic")
    assert result["wer"].value == 0.0
    assert result.normalizer == "basic@2"
    assert scored(("Hello, World!", "hello world"))["wer"].value == 1.0


def test_the_bootstrap_is_the_textbook_loop():
    pairs = random_pairs(40, seed=2)
    result = scored(*pairs, samples=500, seed=3)
    edits = [levenshtein(a.split(), b.split()) for a, b in pairs]
    words = [len(a.split()) for a, _ in pairs]
    generator = np.random.default_rng(3)
    rates = []
    for _ in range(500):
        sampled = generator.integers(0, len(pairs), size=len(pairs))
        rates.append(sum(edits[i] for i in sampled) / sum(words[i] for i in sampled))
    assert result["wer"].low == pytest.approx(np.percentile(rates, 2.5), abs=1e-12)
    assert result["wer"].high == pytest.approx(np.percentile(rates, 97.5), abs=1e-12)
    assert result["wer"].low < result["wer"].value < result["wer"].high
    assert result["cer"].low < result["cer"].value < result["cer"].high


def test_the_interval_is_the_binomial_s_where_each_utterance_is_one_word():
    # One word an utterance: the rate of a resample is Binomial(n, p) / n, about normal.
    n, p = 4000, 0.2
    errors = (np.arange(n) < n * p).astype(np.int64)
    wrong = np.stack([errors, np.ones_like(errors)], axis=1).astype(float)
    [(low, high)] = bootstrap([(SentenceErrorRate(), wrong)], samples=4000, seed=0)
    half = 1.959964 * math.sqrt(p * (1 - p) / n)
    assert low == pytest.approx(p - half, abs=0.05 * half)
    assert high == pytest.approx(p + half, abs=0.05 * half)


def test_the_interval_covers_the_true_rate_about_as_often_as_it_says():
    generator = np.random.default_rng(5)
    lengths = np.full(150, 8, dtype=np.int64)
    covered = 0
    for trial in range(200):
        errors = generator.binomial(8, 0.15, size=150)
        edits = np.stack([lengths - errors, errors, errors * 0, errors * 0], axis=1).astype(float)
        [(low, high)] = bootstrap([(WordErrorRate(), edits)], samples=300, seed=trial)
        covered += low <= 0.15 <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_resampling_in_parts_gives_the_same_interval(monkeypatch):
    wrong = np.stack([np.arange(50) % 4, np.full(50, 5)], axis=1).astype(float)
    entire = bootstrap([(SentenceErrorRate(), wrong)], samples=101, seed=1)
    monkeypatch.setattr("mynah.evaluation.intervals.bootstrap._RESAMPLED_AT_ONCE", 120)
    assert bootstrap([(SentenceErrorRate(), wrong)], samples=101, seed=1) == entire


def test_another_seed_gives_another_interval_and_the_same_seed_the_same():
    pairs = random_pairs(30, seed=4)
    first, again = scored(*pairs, samples=50, seed=1), scored(*pairs, samples=50, seed=1)
    assert (first["wer"].low, first["wer"].high) == (again["wer"].low, again["wer"].high)
    assert scored(*pairs, samples=50, seed=2)["wer"].low != first["wer"].low


@pytest.mark.parametrize(("count", "samples"), [(1, 100), (5, 0)])
def test_there_is_no_interval_of_one_utterance_or_without_resamples(count, samples):
    result = scored(*[("a b", "a c")] * count, samples=samples)
    assert math.isnan(result["wer"].low) and math.isnan(result["cer"].high)
    assert "wer_low" not in result.summary()
    assert result.summary()["wer"] == 0.5


def test_a_reference_is_scored_in_the_lower_case_of_its_language():
    rows = [
        Hypothesis("u0", "IŞIK İSTANBUL", "ışık istanbul", 1.0, language="tr"),
        Hypothesis("u1", "IDEA", "idea", 1.0, language="en"),
    ]
    found = score(rows, normalizer="basic", bootstrap_samples=0, bootstrap_seed=0)
    assert found.edits.hits == 3 and found.error_rate == 0
