"""One notation: right values by hand, and by the tests of Whisper's own normaliser."""

from __future__ import annotations

import pytest

from mynah.evaluation.normalize import get_normalizer
from mynah.evaluation.notation import is_english


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["five one five", "5 1 5", "515", "5-1-5", "Five, one, five."], "5 1 5"),
        (["eleven twenty seven fifty seven", "11/27/57", "11-27-57", "112757"], "1 1 2 7 5 7"),
        (["seven thirty p m", "7:30 PM", "7:30 p.m.", "Seven thirty P.M."], "7 3 0 pm"),
        (["one hundred and twenty", "120", "one twenty"], "1 2 0"),
        (["g thirty five", "G35", "G 35"], "g 3 5"),
        (["R O B I N", "R-O-B-I-N.", "R.O.B.I.N.", "r, o, b, i, n", "Robin"], "robin"),
        (["p o box five oh five", "P.O. Box 505"], "po box 5 0 5"),
        (["the colour of the theatre", "The color of the theater."], "the color of the theater"),
        (["one", "1"], "1"),
    ],
)
def test_what_is_the_same_said_is_the_same_written(texts, expected):
    normalize = get_normalizer("one_notation")
    assert {text: normalize(text) for text in texts} == dict.fromkeys(texts, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # OpenAI, whisper/tests/test_normalizer.py, their digits apart.
        ("thirty one", "3 1"),
        ("nineteen ninety nine", "1 9 9 9"),
        ("two double o eight", "2 0 0 8"),
        ("forty three thousand two hundred and sixty", "4 3 2 6 0"),
        ("one triple oh one", "1 0 0 0 1"),
        ("3 14", "3 1 4"),
        ("3.14", "3.14"),
        ("b747", "b 7 4 7"),
        ("july third twenty twenty", "july 3rd 2 0 2 0"),
        ("two dollars and seventy cents", "$2.70"),
        ("nineteen fifties", "1950s"),
        ("Let's", "let us"),
        ("mobilisation", "mobilization"),
        (
            "Mr. Park visited Assoc. Prof. Kim Jr.",
            "mister park visited associate professor kim junior",
        ),
    ],
)
def test_all_else_is_as_whisper_s_own_tests_have_it(text, expected):
    assert get_normalizer("one_notation")(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("am I a man", "am i a man"),
        ("it's a tee shirt, not a t-shirt", "it is a tee shirt not a t shirt"),
        ("robin", "robin"),
        ("five o five and oh", "5 0 5 and 0"),
    ],
)
def test_words_of_one_letter_stay_words(text, expected):
    assert get_normalizer("one_notation")(text) == expected


def test_what_was_recognized_wrong_stays_wrong():
    normalize = get_normalizer("one_notation")
    assert normalize("five one five") != normalize("five nine five")
    assert normalize("R O B I N") != normalize("R O B E N")


def test_its_name_has_its_version_and_that_of_whisper_s():
    from importlib.metadata import version

    library = version("whisper-normalizer")
    assert get_normalizer("one_notation").identity == f"one_notation@1+whisper{library}+openai"


@pytest.mark.parametrize(
    ("languages", "texts", "english"),
    [
        (["en", "en"], ["naïve café"], True),
        (["en", ""], ["yes"], True),
        (["en", "de"], ["yes", "ja"], False),
        (["", ""], ["plain letters", "more of them"], True),
        ([""], ["съешь же ещё"], False),
        ([""], ["ein schöner größerer Bär"], False),
        ([""], ["123"], False),
    ],
)
def test_only_english_has_one_notation(languages, texts, english):
    assert is_english(languages, texts) is english
