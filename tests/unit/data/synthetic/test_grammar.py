"""The embedded grammar: what its sentences look like and what the two parts share."""

import re
from collections import Counter

import pytest

from mynah.data.synthetic import grammar, inflection, numerals
from mynah.errors import UserError


@pytest.fixture(scope="module")
def train() -> list[grammar.Sentence]:
    return grammar.draw_sentences("train", 1500, seed=0)


@pytest.fixture(scope="module")
def evaluation() -> list[grammar.Sentence]:
    return grammar.draw_sentences("validation", 480, seed=0)


def test_several_thousand_words_can_be_reached():
    assert len(grammar.load_grammar().vocabulary()) >= 3000


def test_a_sentence_is_two_to_twelve_lower_case_words(train, evaluation):
    for sentence in train + evaluation:
        assert re.fullmatch(r"[a-z']+( [a-z']+){1,11}", sentence.text), sentence.text


def test_no_two_sentences_of_a_split_are_the_same(train, evaluation):
    for split in (train, evaluation):
        assert len({sentence.text for sentence in split}) == len(split)


def test_the_evaluation_part_has_three_hundred_sentences_and_a_thousand_word_types(evaluation):
    assert len(evaluation) >= 300
    assert len({word for sentence in evaluation for word in sentence.text.split()}) >= 1000


@pytest.mark.parametrize("seed", [0, 1])
def test_no_evaluation_sentence_fills_a_template_as_a_training_sentence_does(evaluation, seed):
    trained = grammar.draw_sentences("train", 3000, seed=seed)
    fillings = {(sentence.template, sentence.key) for sentence in trained}
    assert not [s for s in evaluation if (s.template, s.key) in fillings]
    words = {tuple(sorted(sentence.text.split())) for sentence in trained}
    assert not [s for s in evaluation if tuple(sorted(s.text.split())) in words]


def test_the_trade_s_calls_are_as_strict_and_of_words_of_its_own():
    trained = grammar.draw_sentences("train", 2000, seed=0, domain="heating")
    measured = grammar.draw_sentences("validation", 240, seed=0, domain="heating")
    for sentence in trained + measured:
        assert re.fullmatch(r"[a-z]+( [a-z]+){1,11}", sentence.text), sentence.text
    words = {tuple(sorted(sentence.text.split())) for sentence in trained}
    assert not [s for s in measured if tuple(sorted(s.text.split())) in words]
    types = {word for sentence in measured for word in sentence.text.split()}
    assert len(types) >= 300
    general = grammar.load_grammar().vocabulary()
    assert len(types - general) >= 150  # names and jargon


def test_please_around_a_sentence_does_not_make_it_another_one():
    sampled = grammar.draw_sentences("train", 1500, seed=3)
    polite = [s for s in sampled if s.text.startswith("please ") and s.topic != "mail"]
    assert polite
    for sentence in polite:
        assert sentence.key == " ".join(sorted(sentence.text.removeprefix("please ").split()))


def test_a_longer_draw_begins_with_the_shorter_one(train):
    assert grammar.draw_sentences("train", 50, seed=0) == train[:50]
    assert grammar.draw_sentences("train", 50, seed=1) != train[:50]


def test_every_topic_is_sampled(train):
    topics = {template.topic for template in grammar.load_grammar().templates}
    assert {sentence.topic for sentence in train} == topics


def test_some_words_are_frequent_and_most_are_rare_as_in_speech():
    sampled = grammar.draw_sentences("train", 4000, seed=0)
    counts = Counter(word for sentence in sampled for word in sentence.text.split())
    ranked = sorted(counts.values(), reverse=True)
    assert len(ranked) > 3000
    assert sum(ranked[: len(ranked) // 10]) > 0.6 * sum(ranked)


def test_more_sentences_than_there_are_is_an_error(monkeypatch):
    monkeypatch.setattr(grammar, "_TRIES", 1)
    with pytest.raises(UserError, match="holds no"):
        grammar.draw_sentences("validation", 500, seed=0)


def test_every_word_list_entry_is_words(tmp_path):
    for slot, entries in grammar.load_grammar().words.items():
        assert len(entries) > 4, slot
        for entry in entries:
            assert re.fullmatch(r"[a-z']+( [a-z']+)*", entry), (slot, entry)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"), (13, "thirteen"), (20, "twenty"), (42, "forty two"),
        (100, "one hundred"), (342, "three hundred and forty two"), (1000, "one thousand"),
        (1005, "one thousand and five"), (90210, "ninety thousand two hundred and ten"),
    ],
)  # fmt: skip
def test_numbers_are_written_out(number, words):
    assert numerals.cardinal(number) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [(1, "first"), (2, "second"), (12, "twelfth"), (20, "twentieth"), (31, "thirty first"),
     (8, "eighth"), (9, "ninth"), (14, "fourteenth")],
)  # fmt: skip
def test_ordinals_are_written_out(number, words):
    assert numerals.ordinal(number) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [(1984, "nineteen eighty four"), (1900, "nineteen hundred"), (1805, "eighteen oh five"),
     (2006, "two thousand and six"), (2021, "twenty twenty one")],
)  # fmt: skip
def test_years_are_said_as_years(number, words):
    assert numerals.year(number) == words


@pytest.mark.parametrize(
    ("form", "word", "made"),
    [
        ("plural", "box", "boxes"), ("plural", "city", "cities"), ("plural", "day", "days"),
        ("plural", "fire engine", "fire engines"), ("plural", "wolf", "wolves"),
        ("plural", "sheep", "sheep"), ("plural", "mosquito", "mosquitoes"),
        ("plural", "piano", "pianos"), ("past", "stop", "stopped"), ("past", "carry", "carried"),
        ("past", "play", "played"), ("past", "explain", "explained"), ("past", "take", "took"),
        ("past", "offer", "offered"), ("past", "travel", "travelled"), ("past", "fix", "fixed"),
        ("participle", "take", "taken"), ("participle", "jump", "jumped"),
        ("gerund", "run", "running"), ("gerund", "make", "making"), ("gerund", "see", "seeing"),
        ("gerund", "lie", "lying"), ("gerund", "open", "opening"), ("present", "wash", "washes"),
        ("present", "cry", "cries"), ("comparative", "dry", "drier"),
        ("comparative", "large", "larger"), ("superlative", "hot", "hottest"),
        ("article", "apple", "an"), ("article", "university", "a"), ("article", "hour", "an"),
        ("article", "umbrella", "an"), ("article", "hotel", "a"), ("article", "unimportant", "an"),
    ],
)  # fmt: skip
def test_word_forms_follow_english(form, word, made):
    assert getattr(inflection, form)(word) == made
