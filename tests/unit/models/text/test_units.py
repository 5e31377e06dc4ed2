"""The units of texts: words, and characters of scripts without spaces."""

from __future__ import annotations

import pytest

from mynah.models.text.units import ideographs, joined_texts, unit_spans, units
from mynah.models.text.word_times import Path, timed_words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("turn left, now!", ["turn", "left,", "now!"]),
        ("naïve “café” – yes", ["naïve", "“café”", "–", "yes"]),
        ("今天 天气。", ["今", "天", "天", "气。"]),
        ("“你好，”他说：「走吧！」", ["“你", "好，”", "他", "说：", "「走", "吧！」"]),
        ("我用iPhone。「好」", ["我", "用", "iPhone。", "「好」"]),
        ("ラーメン、です", ["ラ", "ー", "メ", "ン、", "で", "す"]),
        ("ที่นี่ ดี", ["ที่", "นี่", "ดี"]),
        ("한국어 말", ["한국어", "말"]),  # Korean has spaces
        ("", []),
    ],
)
def test_units_are_words_or_characters_with_their_punctuation(text, found):
    assert units(text) == found
    assert [text[start:end] for start, end in unit_spans(text)] == found


@pytest.mark.parametrize(
    ("texts", "continued", "joined"),
    [
        (["今天", "", "天气"], None, "今天天气"),
        (["好。", "iPhone"], None, "好。iPhone"),
        (["call", "anna"], [True], "call anna"),
        (["用", "iPhone", "打"], [True, True], "用 iPhone 打"),
        (["ที่นี่", "ดี", "มาก"], [True, False], "ที่นี่ดี มาก"),
        (["말", "한국"], None, "말 한국"),
        ([], None, ""),
    ],
)
def test_texts_are_joined_as_their_script_has_it(texts, continued, joined):
    assert joined_texts(texts, continued=continued) == joined


def test_ideographs_are_counted_and_letters_are_not():
    assert ideographs("我用 iPhone，ラーメン ที่นี่ ok") == 6


def test_a_ctc_model_times_each_character_by_its_own_tokens():
    """今天 in one token of two characters, 气 in one of its own, and a word of letters."""
    path = Path((1, 2, 3), ((2, 4), (6, 7), (9, 10)), -6.0, (-1.0, -2.0, -3.0))
    word, other = timed_words("今天气 ok", path, {1: "今天", 2: "气", 3: " ok"}, 0.1)
    assert other.units == ()
    times = [(one.text, one.start_seconds, one.end_seconds) for one in word.units]
    assert times == [
        ("今", pytest.approx(0.2), pytest.approx(0.4)),
        ("天", pytest.approx(0.2), pytest.approx(0.4)),
        ("气", pytest.approx(0.6), pytest.approx(0.7)),
    ]
    assert [one.log_probability for one in word.units] == [-0.5, -0.5, -2.0]
