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
