"""Recordings that lie in a table: times in its columns cut them where they are typed."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import soundfile
from data_helpers import settings
from shard_files import encoded, write_arrow, write_parquet
from stream_helpers import heard, hub_stream, opened, prepared, rows_of, samples

from mynah.data.preparation.prepare import prepare
from mynah.errors import UserError

IDS = ["one", "two", "three"]
TEXTS = ["abc", "de", "fgha"]
CLIP = {  # where a clip was cut from, as edinburghcstr/ami says it
    "begin_time": [1000.5, 2.0, 0.1],
    "end_time": [1001.5, 3.0, 0.2],
}


def test_a_clip_in_a_table_is_not_cut_by_where_it_came_from(tmp_path):
    root = tmp_path / "mine"
    write_parquet(root / "train.parquet", IDS, TEXTS, **CLIP)
    stream = opened(root)
    of_stream = [heard(stream, row) for row in rows_of(stream)]
    table = prepared(root, tmp_path)
    assert list(table.texts) == TEXTS
    for row, text in enumerate(TEXTS):
        clip = samples(encoded(text))
        assert np.array_equal(of_stream[row], clip)
        assert np.array_equal(table.read_audio(row), clip)


def test_a_clip_in_an_arrow_file_or_of_the_hub_is_not_cut_either(tmp_path, monkeypatch):
    write_arrow(tmp_path / "a" / "train.arrow", IDS, TEXTS, **CLIP)
    write_parquet(tmp_path / "b" / "train.parquet", IDS, TEXTS, **CLIP)
    of_hub = pyarrow.parquet.read_table(tmp_path / "b" / "train.parquet")
    for stream in (opened(tmp_path / "a"), hub_stream(tmp_path, monkeypatch, of_hub)):
        for row, text in zip(rows_of(stream), TEXTS, strict=True):
            assert (row.offset_seconds, row.duration_seconds) == (0.0, None)
            assert np.array_equal(heard(stream, row), samples(encoded(text)))


def test_clips_of_bytes_alone_may_say_only_where_they_ended(tmp_path):
    table = pa.table(
        {"audio": [encoded(text) for text in TEXTS], "text": TEXTS, "end": CLIP["end_time"]}
    )
    (tmp_path / "mine").mkdir()
    pyarrow.parquet.write_table(table, tmp_path / "mine" / "train.parquet")
    stream = opened(tmp_path / "mine")
    for row, text in zip(rows_of(stream), TEXTS, strict=True):
        assert np.array_equal(heard(stream, row), samples(encoded(text)))


@pytest.mark.parametrize(
    ("columns", "second"),
    [
        ({"offset_seconds": "from", "end_seconds": "to"}, (0.2, 0.2)),
        ({"offset_seconds": "from", "duration_seconds": "long"}, (0.2, 0.2)),
        ({"offset_seconds": "from"}, (0.2, None)),
        ({"end_seconds": "to", "offset_seconds": "start"}, (0.3, 0.1)),
        ({"end_seconds": "to"}, (0.3, 0.1)),  # start has its usual name
        ({}, (0.0, None)),
    ],
    ids=str,
)
def test_times_that_are_typed_cut_a_recording_in_a_table(tmp_path, monkeypatch, columns, second):
    long = encoded("abcdefgh")
    table = pa.table(
        {
            "audio": [{"bytes": long, "path": "long.flac"}] * 2,
            "text": ["b", "cd"],
            "from": [0.1, 0.2],
            "to": [0.2, 0.4],
            "long": [0.1, 0.2],
            "start": [0.1, 0.3],
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "train.parquet")
    bytes_alone = table.set_column(0, "audio", pa.array([long] * 2))
    (tmp_path / "b").mkdir()
    pyarrow.parquet.write_table(bytes_alone, tmp_path / "b" / "train.parquet")
    streams = [
        opened(tmp_path / "train.parquet", columns=columns),
        opened(tmp_path / "b", columns=columns),
        hub_stream(tmp_path, monkeypatch, table, columns=columns),
    ]
    offset, duration = second
    begin, end = round(offset * 8000), None if duration is None else round(8000 * sum(second))
    for stream in streams:
        row = rows_of(stream)[1]
        assert (row.offset_seconds, row.duration_seconds) == pytest.approx(second)
        assert np.array_equal(heard(stream, row), samples(long)[begin:end])
    more = {"from": [0.0], "to": [0.1], "long": [0.1], "start": [0.0]}
    write_parquet(tmp_path / "b" / "validation.parquet", ["other"], ["h"], **more)
    config = settings(tmp_path, path=str(tmp_path / "b"), sample_rate=8000)
    config.eval_splits, config.columns = ["validation"], columns
    table = prepare(config, working_directory=tmp_path).train
    assert np.array_equal(table.read_audio(1), samples(long)[begin:end])
    assert table.durations[1] == pytest.approx(len(samples(long)[begin:end]) / 8000)


def test_ends_that_are_typed_need_begins_in_a_table_too(tmp_path):
    write_parquet(tmp_path / "train.parquet", IDS, TEXTS, to=[0.1, 0.2, 0.3])
    with pytest.raises(UserError, match="no column is known to tell where it begins"):
        rows_of(opened(tmp_path, columns={"end_seconds": "to"}))


def test_a_table_of_paths_still_names_pieces_of_its_files(tmp_path):
    long = samples(encoded("abcdefgh"))
    soundfile.write(tmp_path / "long.wav", long, 8000)
    table = pa.table(
        {"audio": ["long.wav"] * 2, "text": ["b", "cd"], "start": [0.1, 0.2], "end": [0.2, 0.4]}
    )
    pyarrow.parquet.write_table(table, tmp_path / "train.parquet")
    stream = opened(tmp_path)
    expected = samples((tmp_path / "long.wav").read_bytes())
    pieces = [heard(stream, row) for row in rows_of(stream)]
    assert np.array_equal(pieces[0], expected[800:1600])
    assert np.array_equal(pieces[1], expected[1600:3200])
