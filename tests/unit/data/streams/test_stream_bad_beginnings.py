"""A shard that begins with a row that is none, or with files about the corpus, is read on."""

from __future__ import annotations

import json

import pytest
from data_helpers import settings
from shard_files import encoded, tar_of, transcripts, write_manifest, write_nemo_tars, write_tar
from stream_helpers import opened, rows_of

from mynah.data.preparation.prepare import prepare
from mynah.data.row import Row
from mynah.data.streams.reader import BadRow
from mynah.errors import UserError

IDS = [f"utterance-{number}" for number in range(4)]
TEXTS = transcripts(4)


def kinds(rows):
    return [type(row) for row in rows]


def test_a_line_that_is_not_json_is_one_bad_row_wherever_it_stands(tmp_path):
    path = write_manifest(tmp_path / "train.jsonl", IDS[:3], TEXTS[:3])
    lines = path.read_text().splitlines()
    path.write_text("\n".join(["{broken", lines[0], "{broken", lines[2], '["a list"]']))
    stream = opened(tmp_path)
    rows = rows_of(stream)
    assert kinds(rows) == [BadRow, Row, BadRow, Row, BadRow]
    assert "line 1" in rows[0].reason and "not JSON" in rows[0].reason
    assert "line 3" in rows[2].reason
    for start in range(5):
        assert list(stream.reader.rows(0, start)) == rows[start:]


@pytest.mark.parametrize("lines", [1, 19, 20, 30])
def test_a_manifest_of_nothing_but_bad_lines_is_refused(tmp_path, lines):
    (tmp_path / "train.jsonl").write_text('{"path": "a.wav"}\n' * lines)
    with pytest.raises(UserError, match="no column for text") as caught:
        rows_of(opened(tmp_path))
    assert caught.value.fix == "data.columns.text=NAME_OF_THE_COLUMN"


def test_a_good_row_after_many_bad_ones_does_not_save_a_shard(tmp_path):
    path = write_manifest(tmp_path / "train.jsonl", IDS, TEXTS)
    path.write_text("{broken\n" * 20 + path.read_text())
    with pytest.raises(UserError, match="not JSON"):
        rows_of(opened(tmp_path))
    path.write_text("\n".join(path.read_text().splitlines()[1:]))
    assert kinds(rows_of(opened(tmp_path))) == [BadRow] * 19 + [Row] * 4


def test_the_first_sample_of_a_tar_may_lack_its_transcript(tmp_path):
    members = [("0.flac", encoded("ab")), ("1.flac", encoded("cd")), ("1.txt", b"cd")]
    tar_of(tmp_path / "train.tar", members)
    bad, good = rows_of(opened(tmp_path))
    assert bad.id == "0" and "no column for text" in bad.reason
    assert good.text == "cd" and good.audio == encoded("cd")


def test_the_first_line_of_a_manifest_of_a_tar_may_be_none(tmp_path):
    write_nemo_tars(tmp_path, [TEXTS], sharded=True, all_in_one=False)
    path = tmp_path / "sharded_manifests" / "manifest_0.json"
    path.write_text('{"audio_filepath": \n' + path.read_text())
    rows = rows_of(opened(tmp_path))
    assert [row.text for row in rows[:-1]] == TEXTS
    assert isinstance(rows[-1], BadRow) and "line 1" in rows[-1].reason
    path.write_text('{"audio_filepath": \n' * 2)
    with pytest.raises(UserError, match="not JSON"):
        rows_of(opened(tmp_path))


@pytest.mark.parametrize("name", ["README", "README.md", "LICENSE.txt", "corpus/notes.pdf"])
@pytest.mark.parametrize("place", [0, 2])
def test_files_about_the_corpus_are_not_rows(tmp_path, name, place):
    members = [("0.flac", encoded("ab")), ("0.txt", b"ab"),
               ("1.flac", encoded("cd")), ("1.txt", b"cd")]  # fmt: skip
    members.insert(place, (name, b"for all to use"))
    tar_of(tmp_path / "train.tar", members)
    stream = opened(tmp_path)
    assert [(row.id, row.text) for row in rows_of(stream)] == [("0", "ab"), ("1", "cd")]
    (second,) = stream.reader.rows(0, 1)
    assert second.text == "cd" and second.audio == encoded("cd")
    assert [row.text for row in stream.reader.rows(0, audio=False)] == ["ab", "cd"]


def test_a_recording_that_is_called_as_a_document_is_a_row(tmp_path):
    write_tar(tmp_path / "train.tar", ["README"], ["ab"])
    assert [row.text for row in rows_of(opened(tmp_path))] == ["ab"]


def test_a_transcript_with_a_byte_order_mark_is_read_without_it(tmp_path):
    members = [("0.flac", encoded("ab")), ("0.txt", b"\xef\xbb\xbfab\r\n")]
    tar_of(tmp_path / "train.tar", members)
    assert [row.text for row in rows_of(opened(tmp_path))] == ["ab"]


@pytest.mark.parametrize("said", [("txt", b"ab"), ("json", json.dumps({"text": "ab"}).encode())])
def test_a_transcript_may_have_another_dot_in_its_name(tmp_path, said):
    ending, content = said
    members = [("0.left.flac", encoded("ab")), (f"0.left.{ending}", content)]
    tar_of(tmp_path / "train.tar", members)
    (row,) = rows_of(opened(tmp_path))
    assert (row.id, row.text, row.audio) == ("0", "ab", encoded("ab"))


@pytest.mark.parametrize("order", [1, -1])
def test_what_is_called_as_its_sample_alone_says_what_is_said(tmp_path, order):
    """Beside ``a.json`` lies ``a.alignment.json``, of which the words are not the transcript."""
    said = [("a.json", b'{"text": "ab"}'), ("a.alignment.json", b'{"text": "other"}')]
    tar_of(tmp_path / "train.tar", [("a.flac", encoded("ab")), *said[::order]])
    assert [row.text for row in rows_of(opened(tmp_path))] == ["ab"]
    config = settings(tmp_path, path=str(tmp_path / "train.tar"), sample_rate=8000)
    config.eval_splits = []
    assert list(prepare(config, working_directory=tmp_path).train.texts) == ["ab"]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("said", "beside"),
    [
        (("a.json", b'{"text": "ab"}'), ("a.phones.txt", b"AH B")),
        (("a.txt", b"ab"), ("a.meta.json", b'{"channel": "both", "speaker": "x"}')),
        (("a.txt", b"ab"), ("a.ali.json", b"{broken")),
    ],
)
def test_another_file_beside_a_transcript_says_nothing(tmp_path, said, beside, order):
    tar_of(tmp_path / "train.tar", [("a.flac", encoded("ab")), *(said, beside)[::order]])
    (row,) = rows_of(opened(tmp_path))
    assert (row.text, row.speaker) == ("ab", "")


def test_phones_beside_a_transcript_in_json_are_not_the_transcript(tmp_path):
    members = [("a.flac", encoded("ab")), ("a.json", b'{"text": "ab"}'), ("a.phones.txt", b"AH B")]
    tar_of(tmp_path / "train.tar", members)
    config = settings(tmp_path, path=str(tmp_path / "train.tar"), sample_rate=8000)
    config.eval_splits = []
    assert list(prepare(config, working_directory=tmp_path).train.texts) == ["ab"]


def test_several_recordings_of_one_name_are_a_bad_row(tmp_path):
    members = [("b.flac", encoded("h")), ("b.txt", b"h")]
    for number in range(3):
        members += [(f"a.{number}.flac", encoded("ab")), (f"a.{number}.txt", b"ab")]
    tar_of(tmp_path / "train.tar", members)
    good, bad = rows_of(opened(tmp_path))
    assert good.text == "h" and bad.id == "a"
    assert "a.0.flac and a.1.flac are recordings of one sample" in bad.reason
    named = [("a.0.flac", encoded("gg")), ("a.flac", encoded("ab")), ("a.txt", b"ab")]
    tar_of(tmp_path / "train.tar", named)
    (row,) = rows_of(opened(tmp_path))
    assert row.audio == encoded("ab")


def test_an_evaluation_says_why_a_row_of_a_shard_is_none(tmp_path):
    write_manifest(tmp_path / "mine" / "train.jsonl", IDS[:1], TEXTS[:1])
    path = write_manifest(tmp_path / "mine" / "test.jsonl", IDS[1:3], TEXTS[1:3])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[0]["channel"] = "centre"
    path.write_text("\n".join([*map(json.dumps, lines), "{broken"]))
    config = settings(tmp_path, path=str(tmp_path / "mine"), sample_rate=8000)
    config.format, config.eval_splits = "shards", ["test"]
    account = prepare(config, working_directory=tmp_path).report["splits"]["test"]
    assert account["kept"] == 1 and account["dropped"] == {"no transcript": 2}
    first, second = account["dropped_rows"]
    assert first["id"] == IDS[1] and "'centre' is not a channel" in first["detail"]
    assert "not JSON" in second["detail"] and "test.jsonl, line 3" in second["detail"]
