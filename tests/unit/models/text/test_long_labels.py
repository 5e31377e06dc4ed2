"""Transcripts that a tokenizer makes far longer than it should."""

from __future__ import annotations

import pytest

from mynah.models.text.long_labels import say_if_long


def said(capsys, tokens_a_text, texts):
    """What is printed where each text becomes so many tokens."""
    say_if_long(lambda text: [0] * tokens_a_text, texts)
    return " ".join(capsys.readouterr().out.split())


def test_three_times_the_usual_tokens_are_said(capsys):
    # Two words have 2.6 tokens as a rule: 8 are three times as many, 7 are not.
    assert "4.0 tokens of each word, 3 times what is usual" in said(capsys, 8, ["नमस्ते दुनिया"] * 9)
    assert said(capsys, 7, ["नमस्ते दुनिया"] * 9) == ""


def test_scripts_without_spaces_are_counted_by_character(capsys):
    text = "今日はとても良い天気ですね"
    assert said(capsys, 2 * len(text), [text]) == ""
    assert "3.0 tokens of each character" in said(capsys, 3 * len(text), [text])


@pytest.mark.parametrize(
    ("texts", "helps"),
    [
        (["ENTER NINE"], "data.text_case=lower"),
        (["enter nine"], "a model that knows their language"),
    ],
)
def test_what_helps_is_said(capsys, texts, helps):
    assert helps in said(capsys, 9, texts)


@pytest.mark.parametrize("texts", [[], [""], ["  "]])
def test_without_a_transcript_nothing_is_said(capsys, texts):
    assert said(capsys, 9, texts) == ""


def test_capitals_that_take_more_tokens_than_lower_case_are_said(capsys):
    def labels(text):
        return [0] * (6 if text.isupper() else 5)  # 6 for four words: not three times 1.3 a word

    say_if_long(labels, ["WE CALL IT BEAR"] * 3)
    printed = " ".join(capsys.readouterr().out.split())
    assert "in capitals alone" in printed
    assert "1.2 times the tokens" in printed
    assert "data.text_case=lower" in printed


@pytest.mark.parametrize("texts", [["WE CALL IT BEAR", "we call it bear"], ["We call it bear"]])
def test_texts_that_are_not_all_in_capitals_are_left_alone(capsys, texts):
    say_if_long(lambda text: [0] * (6 if text.isupper() else 5), texts)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("capitals", [4, 5])
def test_a_tokenizer_that_knows_capitals_is_left_alone(capsys, capitals):
    say_if_long(lambda text: [0] * (capitals if text.isupper() else 5), ["WE CALL IT BEAR"])
    assert capsys.readouterr().out == ""
