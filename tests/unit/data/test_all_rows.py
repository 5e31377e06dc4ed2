"""What a run asks of all rows, without a row in Python: the same as looking at each."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest
from stored_corpora import stored_corpus, stored_table

from mynah.data.corpus import Corpus
from mynah.data.pieces import Piece
from mynah.data.preparation.leaks import among
from mynah.data.tables import facts
from mynah.data.tables.label_bounds import stored_label_bounds
from mynah.data.text import TextPolicy
from mynah.training.sizing import feasible

WORDS = ("Straße", "gut", "Aal", "наука", "a", "book", "see", "日本", "e\u0301t\u00e9", "ok,", "!!")


def sampled(rows: int, seed: int = 0) -> list[str]:
    draw = np.random.default_rng(seed)
    texts = ["  ".join(draw.choice(WORDS, draw.integers(0, 6))) for _ in range(rows)]
    return [text.replace("  ", " ") if row % 3 else text for row, text in enumerate(texts)]


def most_frames(text: str) -> int:
    """What a tokenizer of single characters needs, a frame between two equal ones."""
    return len(text) + sum(a == b for a, b in itertools.pairwise(text))


@pytest.fixture
def corpus(tmp_path):
    """Three shards, rows in another order, one left out, transcripts under the plain policy."""
    rows = [{"text": text or None, "language": "de" if n % 5 else ""}
            for n, text in enumerate(sampled(300))]  # fmt: skip
    table = stored_table(tmp_path / "table", rows, shards=3)
    order = np.random.default_rng(1).permutation(300)[:290].astype(np.int32)
    piece = Piece(table, policy=TextPolicy())
    return Corpus([piece], name="train", sample_rate=16000, rows=order)


def test_the_bound_of_stored_transcripts_holds_in_the_order_of_the_rows(corpus):
    bounds, texts = corpus.label_bounds(), list(corpus.texts)
    assert len(bounds) == len(texts) == 290
    for bound, text in zip(bounds.tolist(), texts, strict=True):
        assert most_frames(text) <= bound
        if text.isascii():
            assert bound == 8 + most_frames(text.lower())
        else:
            assert len(text.encode()) <= bound


def test_the_bound_of_a_slice_is_that_of_its_texts():
    texts = pa.array(["aab", "See", "", "Ook, oops"])
    assert stored_label_bounds(texts).tolist() == [12, 12, 8, 19]
    assert stored_label_bounds(texts.slice(1, 2)).tolist() == [12, 8]


def test_another_policy_is_bounded_by_what_it_makes_of_transcripts(tmp_path):
    table = stored_table(tmp_path / "table", [{"text": "x y"}, {"text": "z"}])
    policy = TextPolicy(substitutions=(("x", "aaaaaaaaaaaaaaaaaaaa"),))
    corpus = Corpus([Piece(table, policy=policy)], name="train", sample_rate=16000)
    assert corpus.label_bounds().tolist() == [8 + 22 + 19, 8 + 1]


def test_languages_are_those_of_the_rows(corpus):
    assert corpus.distinct_languages == set(corpus.languages) == {"", "de"}
    unknown = [row for row, one in enumerate(corpus.languages) if not one]
    assert corpus.select(unknown).distinct_languages == {""}


def test_a_piece_with_a_language_of_its_own_has_that_alone(tmp_path):
    table = stored_table(tmp_path / "table", [{"language": "de"}, {"language": ""}])
    corpus = Corpus([Piece(table, language="fr")], name="train", sample_rate=16000)
    assert corpus.distinct_languages == {"fr"}
    both = Corpus([Piece(table), Piece(table, language="fr")], name="train", sample_rate=16000)
    assert both.distinct_languages == {"de", "", "fr"}


@pytest.mark.parametrize("counted", [False, True])
def test_a_large_corpus_trains_its_tokenizer_on_a_sample_with_every_character(
    tmp_path, monkeypatch, counted
):
    monkeypatch.setattr(facts, "_ALL_ROWS", 1000)
    monkeypatch.setattr(facts, "_SAMPLED_ROWS", 200)
    texts = ["all the same words"] * 3000
    for row, rare in {5: "ß", 1777: "наука", 2999: "日本 x"}.items():
        texts[row] = rare
    table = stored_table(tmp_path / "table", [{"text": text} for text in texts])
    if counted:
        first = {
            one: texts.index(next(t for t in texts if one in t)) for one in set("".join(texts))
        }
        table.about["statistics"] = {"first_with": first}
    corpus = Corpus.of_table(table, name="train", sample_rate=16000)
    chosen = list(corpus.tokenizer_texts)
    assert 200 <= len(chosen) <= 203
    assert set("".join(chosen)) == set("".join(texts))
    assert chosen == list(corpus.tokenizer_texts)
    # Where a character's first row is left out, another row that has it stands for it.
    texts[2000] = "ß"
    kept = Corpus.of_table(
        stored_table(tmp_path / "other", [{"text": text} for text in texts]),
        name="train",
        sample_rate=16000,
    ).select([row for row in range(3000) if row != 5])
    if counted:
        kept._pieces[0].table.about["statistics"] = {"first_with": first}
    assert set("".join(kept.tokenizer_texts)) == set("".join(texts))


def test_a_corpus_of_usual_size_trains_its_tokenizer_on_all_of_it(corpus):
    assert list(corpus.tokenizer_texts) == list(corpus.texts)


def test_what_was_read_stays_what_it_is_after_its_memory_was_given_back(tmp_path):
    corpus = stored_corpus(tmp_path / "table", [{"text": text or None} for text in sampled(50)])
    before = (list(corpus.texts), corpus.durations.tolist(), corpus[7])
    corpus.release()
    assert (list(corpus.texts), corpus.durations.tolist(), corpus[7]) == before


def test_few_numbers_are_found_among_many():
    draw = np.random.default_rng(0)
    many = draw.integers(0, 2**63, 500, dtype=np.uint64)
    few = np.unique(np.concatenate([many[[3, 77]], draw.integers(0, 99, 9, dtype=np.uint64)]))
    blocks = np.array_split(many, 71)
    assert among(blocks, few).tolist() == sorted(set(many.tolist()) & set(few.tolist()))
    assert not len(among(blocks, few[:0])) and not len(among([many[:0]], few))


def test_a_large_corpus_is_checked_with_the_bounds_that_it_has(tmp_path, monkeypatch):
    """A family that takes a frame for each 1,000 samples: the same rows as by asking of each."""
    monkeypatch.setattr(feasible, "_FEW_ROWS", 10)
    monkeypatch.setattr(feasible, "_CHECKED_BOUNDS", 20)
    texts = sampled(400, seed=3)
    draw = np.random.default_rng(3)
    rows = [
        {"text": text or None, "duration_seconds": float(seconds)}
        for text, seconds in zip(texts, draw.uniform(0.2, 4, 400), strict=True)
    ]
    table = stored_table(tmp_path / "table", rows, shards=2)
    corpus = Corpus([Piece(table, policy=TextPolicy())], name="train", sample_rate=16000)

    class Characters:
        def labels(self, text):
            return [ord(one) for one in text]

        def impossible(self, samples, labels):
            labels = list(labels)
            needed = len(labels) + sum(a == b for a, b in itertools.pairwise(labels))
            return "too long" if needed > samples // 1000 else None

    found = [row for row, _ in feasible._impossible(corpus, Characters(), 1.0)]
    expected = [
        row for row, text in enumerate(corpus.texts)
        if most_frames(text) > int(corpus.durations[row] * 16000) // 1000
    ]  # fmt: skip
    assert found == expected and 5 < len(expected) < 300
