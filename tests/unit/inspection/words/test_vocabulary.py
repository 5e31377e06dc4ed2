"""Words and characters against counting them one by one."""

from __future__ import annotations

import unicodedata
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mynah.evaluation.normalize import get_normalizer
from mynah.inspection.words.text_counts import (
    TextCounts,
    having_any,
    measure_texts,
    numbers_in,
    symbols_in,
    text_array,
)
from mynah.inspection.words.vocabulary import Vocabulary, unseen_words
from mynah.inspection.words.writing_systems import foreign_letters, script

TEXTS = st.lists(st.text("abAB é'’-.,!1٣ \t中мя", max_size=20), max_size=30)


def counted(texts: list[str]) -> TextCounts:
    counts = TextCounts()
    for start in range(0, len(texts), 7):  # in blocks, as a corpus is gone through
        counts.add(text_array(texts[start : start + 7]))
    return counts


@settings(deadline=None)
@given(TEXTS)
def test_words_and_characters_are_those_counted_one_by_one(texts):
    normalize = get_normalizer("basic")
    found = Vocabulary.of(counted(texts))
    assert found.words == Counter(word for text in texts for word in normalize(text).split())
    assert found.characters == Counter("".join(texts))
    assert list(found.words.values()) == sorted(found.words.values(), reverse=True)


@settings(deadline=None)
@given(TEXTS)
def test_the_measures_of_a_text_are_those_of_plain_python(texts):
    found = measure_texts(text_array(texts))
    assert found.characters.tolist() == [len(text.strip()) for text in texts]
    assert found.words.tolist() == [len(text.split()) for text in texts]
    numbers = [any(unicodedata.category(c)[0] == "N" for c in text) for text in texts]
    assert found.digits.tolist() == numbers


def test_texts_that_differ_in_case_and_punctuation_alone_have_the_same_key():
    keys = measure_texts(text_array(["Turn left.", "turn  LEFT", "turn right", ""])).keys
    assert keys[0] == keys[1]
    assert len(set(keys.tolist())) == 3


@pytest.mark.parametrize(
    ("text", "is_symbol"),
    [
        ("it's well-known, isn't it?", False),
        ("«Oui» – dit-elle…", False),
        ("क्‍ष", False),  # a joiner is a part of the writing
        ("50 % of it", True),
        ("<unk> hello", True),
        ("rock & roll", True),
        ("price: 5 €", True),
        ("a\x00b", True),
    ],
)
def test_symbols_are_what_nobody_says_as_it_is_written(text, is_symbol):
    assert bool(measure_texts(text_array([text])).symbols[0]) is is_symbol
    assert bool(symbols_in(text)) is is_symbol


def test_numbers_are_named_as_they_stand():
    assert numbers_in("in 1984 the 3rd of may, 5%") == ["1984", "3rd", "5%"]


def test_a_broken_character_does_not_stop_the_count():
    assert Vocabulary.of(counted(["caf\udce9 noir"])).words == {"caf": 1, "noir": 1}


def test_what_a_split_says_that_training_never_does():
    train = Vocabulary.of(counted(["The cat sat", "the dog"]))
    split = Vocabulary.of(counted(["The bird sat.", "the bird  là"]))
    found = unseen_words(split, train)
    assert found.words == {"bird": 2, "là": 1}
    assert found.running == 3 / 6
    assert found.distinct == 2 / 4
    assert found.characters == ("b", "i", "l", "r", "à")


def test_rare_characters_are_those_that_a_model_hardly_meets():
    found = Vocabulary.of(counted(["a" * 10 + "q" * 9 + "z"]))
    assert found.rare_characters == {"z": 1, "q": 9}


@pytest.mark.parametrize(
    ("character", "expected"),
    [
        *[(c, "LATIN") for c in "aZéßªＡ"],
        *[(c, "CJK") for c in "中あア"],
        ("м", "CYRILLIC"),
        ("µ", "GREEK"),
        *[(c, None) for c in "1 '!ーʰ\u0301"],
    ],
)
def test_a_letter_belongs_to_a_script(character, expected):
    assert script(character) == expected


def test_letters_of_a_script_that_is_rare_here_are_foreign():
    assert foreign_letters({"a": 970, "м": 10, "5": 20, "中": 1}) == {"м", "中"}
    assert foreign_letters({"a": 500, "м": 500}) == frozenset()


def test_rows_that_hold_a_letter_are_found():
    texts = text_array(["abc", "a]c", "a-м", ""])
    assert having_any(texts, frozenset("]м")).tolist() == [False, True, True, False]
    assert not having_any(texts, frozenset()).any()
    assert isinstance(having_any(texts, frozenset("a")), np.ndarray)
