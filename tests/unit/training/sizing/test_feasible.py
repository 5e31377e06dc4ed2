"""Utterances no model can learn: all of them found, few transcripts tokenized for it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from dry_step_fakes import HOP, RATE, FakeCorpus, FakeFamily, configured
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mynah.data.tables.label_bounds import label_bounds
from mynah.errors import UserError
from mynah.training.sizing import feasible
from mynah.training.sizing.feasible import surely_possible, without_impossible

WORDS = ("hello", "well", "book", "straße", "наука", "see", "a", "!!")


def needed(labels) -> int:
    """Frames that CTC needs for labels."""
    return len(labels) + sum(a == b for a, b in itertools.pairwise(labels))


def data(on_impossible="drop", **settings):
    return replace(configured(**settings).data, on_impossible=on_impossible)


def spoken(rows: int, seed: int = 0) -> FakeCorpus:
    """Transcripts at a normal rate, one in thirty far too long for its audio."""
    draw = np.random.default_rng(seed)
    texts = [" ".join(draw.choice(WORDS, draw.integers(1, 12))) for _ in range(rows)]
    frames = np.asarray([len(text) * draw.uniform(1.8, 4) + 20 for text in texts])
    frames[draw.random(rows) < 1 / 30] *= 0.3
    return FakeCorpus(frames * HOP / RATE, texts)


@pytest.mark.parametrize("speeds", [(), (0.9, 1.2)])
def test_of_a_large_corpus_the_same_rows_are_left_out_as_by_looking_at_all(monkeypatch, speeds):
    monkeypatch.setattr(feasible, "_FEW_ROWS", 100)
    corpus, family = spoken(3000), FakeFamily()
    fastest = max([1.0, *speeds])
    expected = [
        corpus.ids[row]
        for row, text in enumerate(corpus.texts)
        if needed(text) > int(corpus.durations[row] * (RATE / fastest)) // HOP
    ]
    report: dict = {}
    kept = without_impossible(corpus, family, data(speed_factors=speeds), report=report)
    assert 20 < len(expected) < 300
    assert [one["id"] for one in report["impossible"]] == expected
    assert set(kept.ids) == set(corpus.ids) - set(expected)


def test_of_a_large_corpus_few_transcripts_are_tokenized(monkeypatch):
    draw = np.random.default_rng(0)
    texts = ["".join(draw.choice(list("abcdefgh "), 60)) for _ in range(5000)]
    durations = np.full(5000, 1.5)
    durations[17] = 0.5
    monkeypatch.setattr(feasible, "_FEW_ROWS", 100)
    monkeypatch.setattr(feasible, "_CHECKED_BOUNDS", 50)
    family = FakeFamily()
    report: dict = {}
    without_impossible(FakeCorpus(durations, texts), family, data(), report=report)
    assert [one["id"] for one in report["impossible"]] == ["u17"]
    assert family.labelled < 100


def test_a_tokenizer_that_makes_more_of_a_text_than_it_has_characters_is_found_out(monkeypatch):
    class Expanding(FakeFamily):
        def labels(self, text):
            self.labelled += 1
            return [ord(letter) + part for letter in text for part in range(0, 3000, 1000)]

    monkeypatch.setattr(feasible, "_FEW_ROWS", 100)
    corpus = FakeCorpus([1.0] * 2000, ["abcdefgh" * 5] * 2000)
    with pytest.raises(UserError, match="2000 of 2000"):
        without_impossible(corpus, Expanding(), data(), report={})


@hypothesis_settings(max_examples=150, deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=8), st.integers(1, 3))
@example(["\U00010410" * 20], 1)  # in UTF-8 one byte and the same one three times
def test_no_way_to_cut_a_text_into_labels_needs_more_than_the_bound(texts, size):
    bounds = label_bounds(texts)
    for text, bound in zip(texts, bounds, strict=True):
        ways = [
            list(text),
            list(text.encode("utf-8", "surrogatepass")),
            list(text.lower()) if text.isascii() else [],
            [text[start : start + size] for start in range(0, len(text), size)],
            [letter for letter in text if letter not in "aeiou"],
        ]
        for labels in ways:
            assert needed(labels) <= bound


def test_the_bound_of_plain_speech_is_near_what_it_needs():
    text = "she had your dark suit in greasy wash water all year"
    (bound,) = label_bounds([text])
    assert bound <= needed(text) + 8


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 500_000), st.integers(1, 400)), min_size=1, max_size=50),
    st.integers(10, 500),
)
def test_what_is_surely_possible_is_possible(pairs, context):
    class Windowed(FakeFamily):
        """Too short is impossible, and so is too long, as for a language model."""

        def impossible(self, samples, labels):
            if samples // 100 + len(labels) > context:
                return "too long"
            return super().impossible(samples, labels)

    samples, bounds = map(np.asarray, zip(*pairs, strict=True))
    family = Windowed()
    sure = surely_possible(family, samples, bounds)
    for row in np.flatnonzero(sure).tolist():
        assert family.impossible(int(samples[row]), range(int(bounds[row]))) is None


def test_impossible_utterances_end_the_run_where_that_is_asked():
    corpus = FakeCorpus([1.0, 0.05], ["abc", "abcdefgh"])
    with pytest.raises(UserError, match="1 of 2 training utterances") as raised:
        without_impossible(corpus, FakeFamily(), data("fail"), report={})
    assert "u1" in raised.value.what and "data.on_impossible=drop" in raised.value.fix


def test_a_corpus_that_is_possible_is_returned_as_it_is():
    corpus, report = FakeCorpus([1.0] * 3), {}
    assert without_impossible(corpus, FakeFamily(), data(), report=report) is corpus
    assert report == {}
