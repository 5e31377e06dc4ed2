"""Values of a stored column, one at a time and as Arrow itself gives them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from mynah.data.tables import columns
from mynah.data.tables.columns import StoredColumn

TEXTS = ["", "é", "abc", "日本 words", "", "z"]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
@pytest.mark.parametrize("texts", [TEXTS, ["", ""], [*TEXTS, None]])
def test_texts_are_those_of_arrow_in_full_chunks_and_in_slices(kind, texts):
    full = pa.array(texts, kind)
    chunks = pa.chunked_array([full, full[1:], full[2:4], full[len(texts) :]])
    column = StoredColumn(chunks)
    assert [column[row] for row in range(len(column))] == chunks.to_pylist()


@pytest.mark.parametrize("content", [[None, None, None], [None, b"RIFF", b""]])
def test_audio_is_that_of_arrow_in_full_chunks_and_in_slices(content):
    kind = pa.struct({"path": pa.string(), "bytes": pa.binary()})
    values = [{"path": f"{n}.wav", "bytes": held} for n, held in enumerate(content)]
    for rows in (values, [*values, None]):
        full = pa.array(rows, kind)
        chunks = pa.chunked_array([full, full[1:], full[2:]])
        column = StoredColumn(chunks)
        assert [column[row] for row in range(len(column))] == chunks.to_pylist()


@pytest.mark.parametrize("block", [1, 2, 3, 100])
def test_numbers_are_those_of_the_list_whatever_is_read_together(monkeypatch, block):
    monkeypatch.setattr(columns, "_RELEASED_ROWS", block)
    released = []
    seconds = pa.chunked_array([[1.5, None, 2.5], [], [4.0, None]], pa.float64())
    found = columns.numbers(seconds, -1, release=lambda: released.append(1))
    assert found.dtype == "float64" and found.tolist() == [1.5, -1.0, 2.5, 4.0, -1.0]
    assert len(released) == -(-5 // block)
    flags = columns.numbers(pa.chunked_array([[True, None], [False]], pa.bool_()))
    assert flags.dtype == bool and flags.tolist() == [True, False, False]
    channels = columns.numbers(pa.chunked_array([], pa.int32()))
    assert channels.dtype == "int32" and channels.tolist() == []
