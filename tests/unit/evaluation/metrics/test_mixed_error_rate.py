"""Mixed error rate: what its units are, and when it takes the place of word error rate."""

from __future__ import annotations

import jiwer
import pytest
from evaluation_fakes import FakeCorpus, evaluation_of

from mynah.evaluation.metrics.mixed_error_rate import MixedErrorRate, mostly_without_spaces


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("turn left now", ["turn", "left", "now"]),
        ("今天 天气", ["今", "天", "天", "气"]),
        ("我用 iphone 打電話", ["我", "用", "iphone", "打", "電", "話"]),
        ("我用iphone打", ["我", "用", "iphone", "打"]),
        ("ラーメンです", ["ラ", "ー", "メ", "ン", "で", "す"]),
        ("ที่นี่", ["ที่", "นี่"]),  # a vowel and a tone mark belong to their consonant
        ("ភាសា", ["ភា", "សា"]),
        ("மிக்க நன்றி", ["மிக்க", "நன்றி"]),  # Tamil has spaces
        ("한국어 말", ["한국어", "말"]),
        ("", []),
    ],
)
def test_characters_are_units_in_scripts_without_spaces_and_words_in_all_others(text, units):
    assert MixedErrorRate().units(text) == units


def test_the_rate_of_han_is_the_character_error_rate_without_spaces():
    reference, hypothesis = "今天 天气 很好", "今 天气很 坏吗"
    metric = MixedErrorRate()
    value = metric.value(metric.statistics(reference, hypothesis))
    bare = (text.replace(" ", "") for text in (reference, hypothesis))
    assert value == jiwer.cer(*bare)


def test_the_rate_of_text_with_spaces_is_the_word_error_rate():
    reference, hypothesis = "a naïve café in town", "a naive café town now"
    metric = MixedErrorRate()
    assert metric.value(metric.statistics(reference, hypothesis)) == jiwer.wer(
        reference, hypothesis
    )


def test_a_set_is_without_spaces_where_most_of_its_characters_are():
    assert mostly_without_spaces(["今天天气很好", "hello"])
    assert not mostly_without_spaces(["今天", "hello there"])
    assert not mostly_without_spaces(["", "guten Tag, schöne Grüße"])
    assert not mostly_without_spaces([])


def test_mandarin_is_measured_by_mixed_error_rate_under_its_own_name():
    said = ["今天天气很好", "我想喝茶", "请说慢一点"]
    recognized = ["今天天汽很好", "我想喝茶", "请说慢点"]
    scores = evaluation_of(FakeCorpus(said), recognized).scores
    assert list(scores.measures) == ["mer", "cer"]
    assert scores.best == "mer"
    assert scores["mer"].value == 2 / 15  # a substitution and a deletion
    assert scores.unit.label == "MER" and scores.words == 15
    assert scores.per_utterance[2].alignment[3] == ("delete", "一", "")
    assert "wer" not in scores.summary()


def test_word_error_rate_of_mandarin_is_given_to_those_who_ask_for_it():
    scores = evaluation_of(FakeCorpus(["今天天气很好"]), ["今天天汽很好"], metrics=["wer"]).scores
    assert list(scores.measures) == ["wer"]
    assert scores["wer"].value == 1.0
