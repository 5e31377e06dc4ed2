"""A decoder that repeats itself is noticed; a person who does is not."""

from __future__ import annotations

import pytest

from mynah.models.text.loops import cut_loops, is_loop


@pytest.mark.parametrize(
    "text",
    [
        "you you you you you you you",
        "thank you for watching " * 6,
        "He went on. He went on. He went on. He went on. He went on.",
        "and so the first thing that we did was that we did that we did that we did that we did",
        "hahahahahahahahahahahaha",
        "ああああああああああああああああああ",
    ],
)
def test_a_phrase_over_and_over_is_a_loop(text):
    assert is_loop(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no no no",
        "yes",
        "ten ten ten",
        "one two three one two three",
        "the thing is that the thing that you said is the thing that I meant to say to you",
        "he had had had her had had been right all along and everyone in the room knew it well",
        "zero zero seven seven zero one",
    ],
)
def test_what_people_say_is_not(text):
    assert not is_loop(text)


def test_what_is_said_once_is_kept_with_what_stands_around_it():
    assert cut_loops("so he went on. He went on. he went on, he went on. then he stopped") == (
        "so he went on. then he stopped"
    )
    assert cut_loops("no no no") == "no no no"


def test_what_is_said_once_is_kept_in_scripts_without_spaces():
    thanks = "谢谢大家的观看我们下期再见。"
    assert cut_loops("今天我们来看" + 6 * thanks + "好 ok then") == (
        "今天我们来看" + thanks + "好 ok then"
    )
    assert cut_loops("好好好") == "好好好"
    assert cut_loops("go 今天 " + 5 * "是 ") == "go 今天 是"
