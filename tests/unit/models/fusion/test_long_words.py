"""Strings without a space that are longer than any word: a probability no float can hold."""

from __future__ import annotations

import math

import pytest

from mynah.models.fusion import kneser_ney
from mynah.models.fusion.arpa import ArpaModel
from mynah.models.fusion.character_ngrams import CharacterNgrams
from mynah.models.fusion.rescoring import Rescorer
from mynah.models.fusion.scorer import WordScorer
from mynah.models.fusion.word_ngrams import WordNgrams

LENGTHS = [1, 100, 500, 3000]
# The only word is "a", so that the n-grams of letters are fractions: without a context "a" and the
# end came once each of 2 that differ, and a letter never seen has (0 + 2 / 3) / 4 = 1/6. After the
# start, where "a" came alone, it has half of that; after itself it has no context.
LOG_BEGINS, LOG_GOES_ON, LOG_ENDS = math.log(1 / 12), math.log(1 / 6), math.log(5 / 12)
# Of "a": after the start (1 + 5 / 12) / 2 = 17/24; the end (1 + (1 + 5 / 12) / 2) / 2 = 41/48.
OTHERS = 1 - 17 / 24 * 41 / 48


def arpa(weight=0.0):
    """Of "a" 5/8, of the end 1/4, of all other words 1/8; "a" backs off with 10 ** ``weight``."""
    return ArpaModel(
        [
            {
                (): {
                    "<unk>": math.log10(1 / 8),
                    "<s>": -99.0,
                    "</s>": math.log10(1 / 4),
                    "a": math.log10(5 / 8),
                }
            },
            {("a",): {"</s>": math.log10(1 / 2)}},
        ],
        {("a",): weight},
    )


def log_begun(length):
    return LOG_BEGINS + (length - 1) * LOG_GOES_ON


def log_spelled(length):
    """Of a word of ``length`` letters that no other word has."""
    return math.log(1 / 8 / OTHERS) + log_begun(length) + LOG_ENDS


@pytest.mark.parametrize("length", LENGTHS)
def test_letters_have_the_logarithm_computed_by_hand(length):
    found = CharacterNgrams.estimate(["a"])
    assert found.log_beginning("z" * length) == pytest.approx(log_begun(length), rel=1e-12)
    expected = log_begun(length) + LOG_ENDS
    assert found.log_word("z" * length) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_hypothesis_of_one_long_string_is_worth_what_it_is_by_hand(length):
    rescorer = Rescorer(arpa(), weight=0.5, word_bonus=2.0, words_of=str.split)
    expected = 0.5 * (log_spelled(length) + math.log(1 / 4)) + 2.0
    assert rescorer.worth("z" * length) == pytest.approx(expected, rel=1e-12)


def test_contexts_that_leave_next_to_nothing_are_counted_once_each():
    ngrams = WordNgrams(arpa(weight=-250.0))
    expected = log_spelled(300) - 250 * math.log(10)
    assert ngrams.log_word(("a",), "z" * 300) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("end", ["", " a"])
@pytest.mark.parametrize("length", LENGTHS)
def test_letter_by_letter_it_adds_up_to_the_words(length, end):
    scorer = WordScorer(WordNgrams(arpa()), {1: "a", 2: "z", 3: " "}, weight=0.5, word_bonus=2.0)
    state, worth = scorer.start(), 0.0
    for letter in "z" * length + end:
        state, step = scorer.step(state, {"a": 1, "z": 2, " ": 3}[letter])
        worth += step
    worth += scorer.finish(state)
    # After "a" the sentence ends with 1/2.
    last = math.log(5 / 8) + math.log(1 / 2) if end else math.log(1 / 4)
    expected = 0.5 * (log_spelled(length) + last) + 2.0 * (2 if end else 1)
    assert worth == pytest.approx(expected, rel=1e-9)


def test_a_long_word_of_the_text_is_a_word_of_the_model():
    zeros, ones = "0" * 3000, "1" * 3000
    ngrams = WordNgrams(kneser_ney.estimate_ngrams([zeros, ones]))
    assert ngrams.vocabulary == [zeros, ones]
    # A text begins with one as often as with the other.
    first = ngrams.log_word(ngrams.start, zeros)
    assert first == pytest.approx(ngrams.log_word(ngrams.start, ones), rel=1e-12)
    (unigrams,) = arpa().log10[0].values()
    unigrams[zeros] = unigrams.pop("a")
    ngrams = WordNgrams(ArpaModel([{(): unigrams}]))
    assert ngrams.log_word((), zeros) == pytest.approx(math.log(5 / 8), rel=1e-12)
    assert math.log(5 / 8) < ngrams.log_beginning((), zeros) < math.log(5 / 8 + 1 / 8)
