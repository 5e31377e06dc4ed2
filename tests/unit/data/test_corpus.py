"""A corpus reads where it is asked: the same values as a plain list of rows."""

import io
import pickle

import numpy as np
import pytest
import soundfile
from data_helpers import tone
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_corpora import stored_corpus, stored_table

from mynah.data.corpus import Corpus
from mynah.data.pieces import Piece
from mynah.data.text import TextPolicy

ROWS = [
    {
        "id": f"u{number}",
        "text": None if number % 7 == 0 else f"Text {number}",
        "speaker": f"s{number % 3}",
        "language": "de" if number % 2 else "",
        "duration_seconds": 0.5 + number / 10,
        "channel": number % 2 if number % 5 else None,
        "no_speech": number % 7 == 0,
    }
    for number in range(23)
]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    root = tmp_path_factory.mktemp("tables")
    return [stored_table(root / f"t{number}", ROWS, shards=3) for number in range(2)]


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.integers(0, 2 * len(ROWS) - 1), min_size=1, max_size=60))
def test_any_rows_in_any_order_are_those_of_the_tables(tables, rows):
    pieces = [
        Piece(tables[0], policy=TextPolicy(lower=True), prefix="a/"),
        Piece(tables[1], language="fr", source="second"),
    ]
    stored = [row for start in range(3) for row in ROWS[start::3]]  # as the shards lie
    corpus = Corpus(pieces, name="train", sample_rate=8000).select(rows)
    expected = [(stored[row % len(ROWS)], row >= len(ROWS)) for row in rows]
    assert corpus.ids == [held["id"] if second else "a/" + held["id"] for held, second in expected]
    assert list(corpus.texts) == [
        (held["text"] or "") if second else (held["text"] or "").lower()
        for held, second in expected
    ]
    assert corpus.languages[:] == [
        "fr" if second else held["language"] for held, second in expected
    ]
    assert corpus.sources == ["second" if second else "stored" for _, second in expected]
    assert corpus.durations.tolist() == [held["duration_seconds"] for held, _ in expected]
    assert corpus.channels.tolist() == [
        -1 if held["channel"] is None else held["channel"] for held, _ in expected
    ]
    one = corpus[len(rows) - 1]
    assert (one.id, one.text) == (corpus.ids[-1], corpus.texts[-1])
    assert one.no_speech == expected[-1][0]["no_speech"]


def test_a_selection_of_a_selection_is_that_of_the_table(tables):
    corpus = Corpus([Piece(tables[0])], name="x", sample_rate=8000)
    twice = corpus.select([5, 3, 9, 1]).select([2, 0])
    assert twice.ids == [corpus.ids[9], corpus.ids[5]]
    assert twice.fingerprint != corpus.fingerprint != corpus.select([5, 3]).fingerprint


def test_repeats_go_with_their_rows_and_change_the_fingerprint(tables):
    repeats = np.arange(len(ROWS), dtype=np.float64)
    plain = Corpus([Piece(tables[0])], name="x", sample_rate=8000)
    mixed = Corpus([Piece(tables[0])], name="x", sample_rate=8000, repeats=repeats)
    assert mixed.select([4, 2]).repeats.tolist() == [4.0, 2.0]
    assert plain.repeats is None and plain.fingerprint != mixed.fingerprint


def test_a_fingerprint_does_not_hang_on_how_a_table_is_cut(tmp_path):
    one = stored_corpus(tmp_path / "one", ROWS)
    in_order = [row for start in range(4) for row in ROWS[start::4]]
    cut = stored_corpus(tmp_path / "cut", ROWS, shards=4)
    full = stored_corpus(tmp_path / "full", [r | {"digest": d} for r, d in zip(in_order, [
        f"{n + 1:016x}" for start in range(4) for n in range(start, len(ROWS), 4)
    ], strict=True)])  # fmt: skip
    assert cut.fingerprint == full.fingerprint != one.fingerprint


def test_a_fingerprint_tells_where_one_text_ends_and_the_next_begins(tmp_path):
    one = stored_corpus(tmp_path / "one", [{"text": "ab"}, {"text": "c"}])
    two = stored_corpus(tmp_path / "two", [{"text": "a"}, {"text": "bc"}])
    assert one.fingerprint != two.fingerprint


def test_audio_is_read_out_of_a_shard(tmp_path):
    shard, rows = b"something before", []
    for number in range(3):
        encoded = io.BytesIO()
        soundfile.write(encoded, tone(0.5 + number / 10, hertz=200 + number), 16000, format="FLAC")
        content = encoded.getvalue()
        rows.append(
            {
                "audio": {"path": str(tmp_path / "shard.bin"), "bytes": None},
                "byte_offset": len(shard), "byte_length": len(content),
                "duration_seconds": 0.5 + number / 10,
            }
        )  # fmt: skip
        shard += content
    (tmp_path / "shard.bin").write_bytes(shard)
    corpus = stored_corpus(tmp_path / "table", rows)
    for number in range(3):
        audio = corpus.read_audio(number)
        assert np.allclose(audio, tone(0.5 + number / 10, hertz=200 + number), atol=1e-4)
    assert corpus.audio_file(1) is None


def test_what_is_sent_to_a_worker_does_not_grow_with_the_texts(tmp_path):
    rows = [{"text": "many words " * 20} for _ in range(500)]
    corpus = stored_corpus(tmp_path / "long", rows)
    assert len(corpus.texts[:]) == 500
    sent = pickle.dumps(corpus)
    assert len(sent) < 3000
    assert pickle.loads(sent).texts == corpus.texts
