"""``whisper_english`` is OpenAI's normaliser: as transformers has it, rule by rule."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

from mynah.evaluation.normalize import get_normalizer

TEXTS = [
    "The cause of it, kinda.",
    "I dunno; sorta 'cause she won't.",
    "Mr. Smith can't pay $20 million, y'all!",
    "He's been there since the 1960s (so they say) [laughter].",
    "twenty one point five percent of the colour",
    "hmm, I'ma go; gonna wanna gotta",
    "Let's see: St. James's, Dr. Who's got it, ain't he?",
    "one oh one, double seven",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_comes_out_as_transformers_has_it(text):
    table = files("whisper_normalizer").joinpath("normalizers/english.json")
    spellings = json.loads(table.read_text(encoding="utf-8"))
    ours, theirs = get_normalizer("whisper_english"), EnglishTextNormalizer(spellings)
    assert ours(text) == " ".join(theirs(text).split())


def test_words_that_the_library_alone_rewrites_stay_as_they_are():
    normalize = get_normalizer("whisper_english")
    assert normalize("the cause") == "the cause"
    assert normalize("kinda sorta dunno") == "kinda sorta dunno"


def test_the_version_says_that_it_is_not_the_library_s_own():
    from importlib.metadata import version

    library = version("whisper-normalizer")
    assert get_normalizer("whisper_english").identity == f"whisper_english@{library}+openai"
    assert get_normalizer("whisper_basic").identity == f"whisper_basic@{library}"
