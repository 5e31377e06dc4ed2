"""Text normalisers: what counts as the same word."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mynah.config.settings import all_settings
from mynah.errors import UserError
from mynah.evaluation.normalize import get_normalizer

BASIC = get_normalizer("basic")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, World!", "hello world"),
        ("Don't stop -- it's the dogs' day.", "don't stop it's the dogs day"),
        ("don’t don‘t donʼt don＇t don`t don´t", " ".join(["don't"] * 6)),
        ("'tis rock 'n' roll", "tis rock n roll"),
        ("twenty-one\tgrams\n(or so)", "twenty one grams or so"),
        ("Ｆｕｌｌ ｗｉｄｔｈ ﬁsh", "full width fish"),
        ("ÄÖÜ Straße", "äöü straße"),
        ("हिन्दी में।", "हिन्दी में"),
        ("¿Qué tal? «Bien»…", "qué tal bien"),
        ("soft\u00adhyphen zero\u200bwidth \ufefffirst", "softhyphen zerowidth first"),
        ("5 % + 3 €", "5 3"),
        (" ... ", ""),
        ("", ""),
    ],
)
def test_basic_makes_the_same_words_of_what_sounds_the_same(text, expected):
    assert BASIC(text) == expected


def test_composed_and_decomposed_letters_are_the_same():
    assert BASIC("cafe\u0301") == BASIC("caf\u00e9") == "caf\u00e9"


@given(st.text())
def test_basic_applied_twice_changes_nothing_more(text):
    once = BASIC(text)
    assert BASIC(once) == once
    assert once == " ".join(once.split())


def test_none_keeps_the_text_but_for_its_spacing():
    assert get_normalizer("none")("  Hello,   World! ") == "Hello, World!"


def test_whisper_s_normalizers_are_those_of_the_package():
    from whisper_normalizer.basic import BasicTextNormalizer
    from whisper_normalizer.english import EnglishTextNormalizer

    text = "Mr. Smith's colour won't cost $20 [noise], um, twenty-five"
    assert get_normalizer("whisper_english")(text) == EnglishTextNormalizer()(text).strip()
    assert get_normalizer("whisper_basic")(text) == " ".join(BasicTextNormalizer()(text).split())
    assert "mister smith" in get_normalizer("whisper_english")(text)


def test_every_normalizer_of_the_settings_exists_and_names_its_version():
    choices = all_settings()["evaluation.normalizer"].choices
    identities = [get_normalizer(name).identity for name in choices]
    assert [identity.partition("@")[0] for identity in identities] == list(choices)
    assert all(identity.partition("@")[2] for identity in identities)


def test_an_unknown_name_is_answered_with_those_there_are():
    with pytest.raises(UserError) as raised:
        get_normalizer("wisper")
    assert "whisper_english" in str(raised.value)


def test_the_scoring_is_imported_without_torch():
    code = (
        "import sys, mynah.evaluation.score, mynah.evaluation.evaluate;"
        "import mynah.evaluation.decoding.decode;"
        "sys.exit(any(m in sys.modules for m in ('torch', 'jiwer', 'whisper_normalizer')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "text", "torn"),
    [
        ("whisper_basic", "हिन्दी में", True),
        ("whisper_basic", "cafe\u0301 Tiếng Việt", False),  # they compose
        ("whisper_basic", "plain words", False),
        ("basic", "हिन्दी में", False),
    ],
)
def test_a_normalizer_that_tears_words_is_known(name, text, torn):
    from mynah.evaluation.normalize import tears_words

    assert tears_words(name, [text]) is torn
    pieces = get_normalizer(name)(text).split()
    assert (len(pieces) > len(text.split())) is torn
