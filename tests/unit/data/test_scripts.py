"""In which script transcripts are written, and which of them are not text."""

from __future__ import annotations

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mynah.data.scripts import NO_TEXT, SCRIPTS, damage_of, is_no_text, scripts_of, strangers


def script(text: str) -> str:
    return SCRIPTS[scripts_of(pa.array([text], type=pa.string()))[0]]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("hello", "Latin"),
        ("Æble på bordet", "Latin"),
        ("1984, 3.5 %", ""),
        ("", ""),
        ("красный", "Cyrillic"),
        ("abc красный", "Cyrillic"),
        ("a whole sentence of красный", "Latin"),
        ("東京タワー", "Chinese, Japanese or Korean"),
        ("नमस्ते", "Devanagari"),
        ("ᏣᎳᎩ", "another script"),
        ("\x00\x01PNG", NO_TEXT),
        ("don\ufffdt", NO_TEXT),
        ("one\ttwo\nthree", "Latin"),
    ],
)
def test_the_script_of_most_letters_is_found(text: str, name: str):
    assert script(text) == name


@given(st.text(st.sampled_from("aéøжяαβ\u05d0あア漢한กა 1.-"), max_size=20))
def test_scripts_are_those_of_unicodes_names(text: str):
    groups = {
        "LATIN": "Latin", "CYRILLIC": "Cyrillic", "GREEK": "Greek", "HEBREW": "Hebrew",
        "THAI": "Thai", "GEORGIAN": "Georgian",
        **dict.fromkeys(("CJK", "HIRAGANA", "KATAKANA", "HANGUL"), "Chinese, Japanese or Korean"),
    }  # fmt: skip
    letters = [unicodedata.name(one).split()[0] for one in text if one.isalpha()]
    names = [groups[name] for name in letters]
    most = max(map(names.count, names), default=0)
    assert script(text) in ({name for name in names if names.count(name) == most} or {""})


@pytest.mark.parametrize("text", ["", "one\ttwo\nthree\r", "красный", "1984", "東京 \x9f \ufffc"])
def test_a_row_of_a_stream_is_text_without_control_characters(text: str):
    assert not is_no_text(damage_of(text)).any()


@pytest.mark.parametrize("letter", ["\x00", "\x08", "\x0e", "\x1b", "\x7f", "\ufffd"])
def test_a_row_of_a_stream_with_a_control_character_is_not_text(letter: str):
    assert is_no_text(damage_of(f"some {letter} words")).all()


def test_a_script_that_hardly_any_other_has_is_a_stranger():
    texts = ["one two"] * 300 + ["раз два"] * 2 + ["1984"] * 5
    found = strangers(scripts_of(pa.array(texts)))
    assert np.flatnonzero(found).tolist() == [300, 301]


def test_scripts_that_a_corpus_mixes_are_not_strangers():
    texts = ["one two"] * 95 + ["раз два"] * 5
    assert not strangers(scripts_of(pa.array(texts))).any()


def test_what_is_not_text_is_not_a_stranger():
    scripts = scripts_of(pa.array(["one"] * 300 + ["\x00"]))
    assert not strangers(scripts).any()
    assert np.flatnonzero(is_no_text(scripts)).tolist() == [300]
