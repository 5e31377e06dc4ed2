"""A stream gives the rows that the same corpus gives when it is prepared."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import soundfile
from data_helpers import settings
from packed_corpora import pack
from shard_files import encoded, tar_of, write_lines, write_manifest, write_parquet
from stream_helpers import config_of, heard, hub_stream, opened, prepared, rows_of, samples

from mynah.data.row import Row
from mynah.data.sources import open_source
from mynah.data.sources.reading.source import Place
from mynah.data.streams.reader import BadRow
from mynah.data.streams.rows import LeftOut, StreamedUtterance, usable
from mynah.data.streams.stream import Stream
from mynah.data.text import TextPolicy
from mynah.errors import UserError

IDS = ["one", "two", "three"]
TEXTS = ["abc", "de", "fgha"]


def made(stream: Stream) -> list[StreamedUtterance | LeftOut]:
    """What becomes of each row before a batch."""
    return [usable(row, config_of(Path()), TextPolicy()) for row in rows_of(stream)]


# --- transcripts that are not text


COMMANDS = ["down", "go", "left"]


def commands_table(labels: list[int | None]) -> pa.Table:
    """As google/speech_commands has them: the transcript is the number of a class."""
    features = datasets.Features(
        {
            "audio": datasets.Audio(decode=False),
            "label": datasets.ClassLabel(names=COMMANDS),
            "place": datasets.ClassLabel(names=["home", "street"]),
        }
    )
    clips = [{"bytes": encoded("abc"), "path": f"{row}.flac"} for row in range(len(labels))]
    places = [row % 2 for row in range(len(labels))]
    held = {"audio": clips, "label": labels, "place": places}
    return pa.table(held, schema=features.arrow_schema)


def test_a_transcript_that_is_a_class_is_the_name_of_the_class(tmp_path, monkeypatch):
    table = commands_table([2, 0, 1, None])
    for folder in ("parquet", "arrow"):
        (tmp_path / folder).mkdir()
    pyarrow.parquet.write_table(table, tmp_path / "parquet" / "train.parquet")
    with pa.ipc.new_stream(tmp_path / "arrow" / "train.arrow", table.schema) as writer:
        writer.write_table(table)
    for root in (tmp_path / "parquet", tmp_path / "arrow"):
        rows = rows_of(opened(root))
        assert [row.text for row in rows] == ["left", "down", "go", None]
        assert [json.loads(row.columns)["place"] for row in rows] == ["home", "street"] * 2
    of_hub = rows_of(hub_stream(tmp_path, monkeypatch, table))
    assert [row.text for row in of_hub] == ["left", "down", "go", None]
    assert list(prepared(tmp_path / "parquet", tmp_path).texts) == ["left", "down", "go"]


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ([["a", "b"], ["c"]], "The transcript is not text but a list."),
        ([True, False], "The transcript is not text but true or false."),
        ([{"said": "a"}, {"said": "b"}], "The transcript is not text but an object."),
    ],
    ids=["lists", "truth values", "objects"],
)
def test_a_transcript_that_is_not_text_is_a_row_that_is_left_out_by_name(tmp_path, texts, reason):
    write_parquet(tmp_path / "train.parquet", IDS[:2], TEXTS[:2], text=pa.array(texts))
    rows = rows_of(opened(tmp_path))
    assert [type(row) for row in rows] == [BadRow, BadRow]
    assert [row.id for row in rows] == IDS[:2]
    assert rows[1].reason == f"{reason} ({tmp_path}/train.parquet, row 1)"
    with pytest.raises(UserError, match="not text but"):
        prepared(tmp_path, tmp_path)


def test_a_class_that_has_no_name_is_a_bad_row(tmp_path):
    table = commands_table([0, 7])
    pyarrow.parquet.write_table(table, tmp_path / "train.parquet")
    first, second = rows_of(opened(tmp_path))
    assert first.text == "down" and "7" in second.reason and "label" in second.reason


# --- channels and times


def manifest_line(root: Path, **changed: object) -> dict[str, object]:
    """A line of a stereo recording: abcdefgh on the left, the same backwards on the right."""
    left, right = samples(encoded("abcdefgh")), samples(encoded("hgfedcba"))
    soundfile.write(root / "both.wav", np.stack([left, right], axis=1), 8000)
    return {"audio_filepath": "both.wav", "text": "abc", **changed}


@pytest.mark.parametrize(
    ("channel", "which"), [("A", 0), ("left", 0), ("R", 1), ("1", 1), (1.0, 1)], ids=str
)
def test_a_channel_is_read_as_people_write_it(tmp_path, channel, which):
    line = manifest_line(tmp_path, channel=channel)
    write_lines(tmp_path / "train.jsonl", [line])
    stream = opened(tmp_path)
    (row,) = rows_of(stream)
    expected = soundfile.read(tmp_path / "both.wav", dtype="float32")[0][:, which]
    assert np.array_equal(heard(stream, row), expected)


WRONG = [
    ({"channel": "both"}, "'both' is not a channel: they are counted 0, 1, … or called A and B."),
    ({"channel": True}, "True is not a channel: they are counted 0, 1, … or called A and B."),
    ({"start": "00:00:05.0", "end": 6}, "The offset is not a number of seconds: '00:00:05.0'."),
    ({"offset": "1,5", "duration": 0.1}, "The offset is not a number of seconds: '1,5'."),
    ({"offset": 0.1, "duration": "x"}, "The duration is not a number of seconds: 'x'."),
    ({"offset": 0.1, "duration": float("nan")}, "The duration is not a number of seconds: nan."),
    ({"offset": 0.1, "end": float("nan")}, "The end is not a number of seconds: nan."),
    ({"offset": -0.1, "duration": 0.2}, "The offset is not a number of seconds: -0.1."),
    ({"offset": 0.3, "end": 0.2}, "The piece ends at 0.2 s, no later than it begins, at 0.3 s."),
    ({"offset": None, "end": 0.2}, "The utterance has an end and no begin."),
    ({"no_speech": "perhaps"}, "no_speech is neither true nor false: 'perhaps'."),
    ({"speaker": ["a", "b"]}, "The speaker is not text but a list."),
]


@pytest.mark.parametrize(("changed", "reason"), WRONG, ids=lambda one: str(one)[:30])
def test_what_ends_a_preparation_is_a_row_of_a_stream_that_is_left_out(tmp_path, changed, reason):
    good = manifest_line(tmp_path)
    write_lines(tmp_path / "train.jsonl", [good, manifest_line(tmp_path, **changed), good])
    rows = rows_of(opened(tmp_path))
    assert [type(row) for row in rows] == [Row, BadRow, Row]
    assert rows[1].reason == f"{reason} ({tmp_path}/train.jsonl, line 2)"
    config = settings(tmp_path, path=str(tmp_path / "train.jsonl"))
    source = open_source(config, Place.of(config, tmp_path, offline=True))
    assert source.format == "nemo"
    with pytest.raises(UserError) as caught:
        source.rows(source.parts("train")[0])
    assert caught.value.what == reason
    (out,) = [one for one in made(opened(tmp_path)) if isinstance(one, LeftOut)]
    assert (out.reason, out.detail) == ("unreadable", rows[1].reason)


def of_manifest(root: Path, tmp_path: Path) -> list[Row]:
    """The rows of a manifest that is prepared."""
    config = settings(tmp_path, path=str(root))
    source = open_source(config, Place.of(config, tmp_path, offline=True))
    assert source.format == "nemo"
    return list(source.rows(source.parts("train")[0]))


def test_a_duration_alone_cuts_a_recording_as_it_does_in_nemo(tmp_path):
    """NeMo's AudioSegment.from_file reads ``duration`` seconds from 0 where no offset is given."""
    long = encoded("abcdefgh", "WAV")
    line = {"audio_filepath": "long.wav", "text": "abc", "duration": 0.3}
    tar_of(tmp_path / "tars" / "audio_0.tar", [("long.wav", long)])
    write_lines(tmp_path / "tars" / "tarred_audio_manifest.json", [{**line, "shard_id": 0}])
    (tmp_path / "long.wav").write_bytes(long)
    write_lines(tmp_path / "train.jsonl", [line])
    for root in (tmp_path / "train.jsonl", tmp_path / "tars"):
        stream = opened(root)
        (row,) = rows_of(stream)
        assert np.array_equal(heard(stream, row), samples(long)[:2400])
        (other,) = of_manifest(root, tmp_path)
        assert (other.offset_seconds, other.duration_seconds) == (0.0, 0.3)
    # a recording may end a little before, as lengths are rounded; prepared it has 0.8 s as well
    lines = [{**line, "duration": 0.85}, {**line, "audio_filepath": "gone.wav"}]
    write_lines(tmp_path / "train.jsonl", lines)
    longer, missing = made(opened(tmp_path / "train.jsonl"))
    assert longer.duration_seconds == 0.8
    assert (missing.reason, "gone.wav" in missing.detail) == ("unreadable", True)
    # in a listing that is not NeMo's a duration only tells how long the recording is
    write_lines(tmp_path / "train.jsonl", [{"path": "long.wav", "text": "abc", "duration": 0.3}])
    stream = opened(tmp_path / "train.jsonl")
    assert np.array_equal(heard(stream, *rows_of(stream)), samples(long))


# NeMo passes a line over by `if data.get("_skipme", False)`
PASSED_OVER = [1, True, "yes", "false", "0", [0], "n" * 200]
NOT_PASSED_OVER = [0, 0.0, False, None, "", []]


def test_a_line_is_passed_over_by_the_same_values_prepared_and_streamed(tmp_path):
    lines = [
        {"audio_filepath": f"{number}.wav", "text": "abc", "_skipme": value, "shard_id": 0}
        for number, value in enumerate([*PASSED_OVER, *NOT_PASSED_OVER])
    ]
    expected = [None] * len(PASSED_OVER) + ["abc"] * len(NOT_PASSED_OVER)
    members = [(line["audio_filepath"], encoded("abc", "WAV")) for line in lines]
    tar_of(tmp_path / "tars" / "audio_0.tar", members)
    for name, content in members:
        (tmp_path / name).write_bytes(content)
    write_lines(tmp_path / "tars" / "tarred_audio_manifest.json", lines)
    plain = [{key: held for key, held in one.items() if key != "shard_id"} for one in lines]
    write_lines(tmp_path / "train.jsonl", plain)
    for root in (tmp_path / "train.jsonl", tmp_path / "tars"):
        assert [row.text for row in rows_of(opened(root))] == expected
        assert [row.text for row in of_manifest(root, tmp_path)] == expected


def test_what_is_wrong_with_the_first_row_does_not_end_the_stream(tmp_path):
    lines = [manifest_line(tmp_path, channel="both"), manifest_line(tmp_path)]
    write_lines(tmp_path / "train.jsonl", lines)
    tar_of(
        tmp_path / "tars" / "train.tar",
        [
            member
            for number, line in enumerate(lines)
            for member in (
                (f"{number}.flac", encoded("abc")),
                (f"{number}.json", json.dumps(line | {"audio_filepath": None}).encode()),
            )
        ],
    )
    for root in (tmp_path / "train.jsonl", tmp_path / "tars"):
        assert [type(row) for row in rows_of(opened(root))] == [BadRow, Row]


def test_a_line_of_a_nemo_tar_that_cannot_be_used_keeps_its_place(tmp_path):
    names = [f"{number}.wav" for number in range(3)]
    tar_of(tmp_path / "audio_0.tar", [(name, encoded("abc", "WAV")) for name in names])
    lines = [{"audio_filepath": name, "text": "abc", "shard_id": 0} for name in names]
    lines[1]["channel"] = "both"
    write_lines(tmp_path / "tarred_audio_manifest.json", lines)
    stream = opened(tmp_path)
    assert [type(row) for row in rows_of(stream)] == [Row, BadRow, Row]
    assert "line 2" in rows_of(stream)[1].reason
    assert [row.id for row in stream.reader.rows(0, 1)] == ["1.wav", "2.wav"]


# --- rows without speech


def test_a_row_without_speech_is_learned_from_as_silence(tmp_path):
    root = tmp_path / "mine"
    silence = [False, True, True]
    write_parquet(root / "train.parquet", IDS, ["abc", "de", "fg"], no_speech=silence,
                  text=["abc", "", "[noise]"])  # fmt: skip
    stream = opened(root)
    rows = made(stream)
    assert [row.text for row in rows] == ["abc", "", ""]
    assert [row.row.no_speech for row in rows] == silence
    assert [stream[row].no_speech for row in rows] == silence
    table = prepared(root, tmp_path)
    assert list(table.texts) == ["abc", "", ""] and list(table.no_speech) == silence
    assert list(stream.tokenizer_texts) == ["abc"]


def test_a_line_without_speech_needs_no_transcript(tmp_path):
    write_manifest(tmp_path / "train.jsonl", IDS, TEXTS)
    lines = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    del lines[1]["text"]
    lines[1]["is_silence"] = "yes"
    write_lines(tmp_path / "train.jsonl", lines)
    assert [row.text for row in made(opened(tmp_path))] == ["abc", "", "fgha"]


def test_a_line_that_nemo_passes_over_is_not_silence_to_learn_from(tmp_path):
    tar_of(tmp_path / "audio_0.tar", [(f"{n}.wav", encoded("abc", "WAV")) for n in range(2)])
    line = {"text": "", "no_speech": True, "shard_id": 0}
    lines = [
        {"audio_filepath": "0.wav", **line},
        {"audio_filepath": "1.wav", **line, "_skipme": 1},
    ]
    write_lines(tmp_path / "tarred_audio_manifest.json", lines)
    first, second = made(opened(tmp_path))
    assert first.text == "" and second == LeftOut("1.wav", "no transcript")


@pytest.fixture
def silent_first(tmp_path):
    """Packed shards whose first row is silence, and whose second has no transcript."""
    root = tmp_path / "mine"
    write_manifest(root / "train.jsonl", ["silence", "nothing", *IDS], ["aa", "bb", *TEXTS])
    lines = [json.loads(line) for line in (root / "train.jsonl").read_text().splitlines()]
    lines[0].update(text="", no_speech=True)
    lines[1].update(text="")
    write_lines(root / "train.jsonl", lines)
    assert pack(root / "train.jsonl", tmp_path / "shards") == 0
    return tmp_path / "shards"


def assert_silent_first(shards: Path) -> None:
    stream = opened(shards)
    assert [row.id for row in rows_of(stream)] == ["silence", "nothing", *IDS]
    silence, nothing, *spoken = made(stream)
    assert (silence.text, silence.row.no_speech) == ("", True)
    assert nothing == LeftOut("nothing", "no transcript")
    assert [row.text for row in spoken] == TEXTS


def test_a_packed_corpus_that_begins_with_silence_is_streamed(silent_first):
    (tar,) = silent_first.glob("*.tar")
    with tarfile.open(tar) as held:
        said = [json.load(held.extractfile(n)) for n in held.getnames() if n.endswith(".json")]
    assert [one["text"] for one in said] == ["", "", *TEXTS]
    assert_silent_first(silent_first)


def test_shards_that_were_packed_without_an_empty_text_are_streamed_too(silent_first):
    (tar,) = silent_first.glob("*.tar")
    members = []
    with tarfile.open(tar) as held:
        for name in held.getnames():
            content = held.extractfile(name).read()
            if name.endswith(".json"):
                said = {key: value for key, value in json.loads(content).items() if value != ""}
                content = json.dumps(said).encode()
            members.append((name, content))
    assert b'"text": ""' not in b"".join(content for _, content in members)
    tar_of(tar, members)
    assert_silent_first(silent_first)


def test_a_tar_that_numbers_its_rows_as_a_packed_one_keeps_its_transcripts(tmp_path):
    said = json.dumps({"id": "a", "transcript": "abc"}).encode()
    tar_of(tmp_path / "train.tar", [("000000000.flac", encoded("abc")), ("000000000.json", said)])
    assert [row.text for row in rows_of(opened(tmp_path))] == ["abc"]


def test_a_tar_whose_transcripts_go_by_another_name_still_says_so(tmp_path):
    said = json.dumps({"spoken": "abc"}).encode()
    tar_of(tmp_path / "train.tar", [("a.flac", encoded("abc")), ("a.json", said)])
    with pytest.raises(UserError, match="no column for text; it has: audio, spoken"):
        rows_of(opened(tmp_path))


# --- lines that name no recording


@pytest.mark.parametrize("name", [None, "", "  ", float("nan")], ids=["null", "none", "sp", "nan"])
@pytest.mark.parametrize("place", [0, 1])
def test_a_line_that_names_no_recording_is_a_row_that_is_left_out(tmp_path, name, place):
    write_manifest(tmp_path / "train.jsonl", IDS, TEXTS)
    lines = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    lines[place]["audio_filepath"] = name
    write_lines(tmp_path / "train.jsonl", lines)
    rows = made(opened(tmp_path))
    where = f"{tmp_path}/train.jsonl, line {place + 1}"
    assert rows.pop(place) == LeftOut(
        IDS[place], "unreadable", f"No audio file is named here. ({where})"
    )
    assert all(isinstance(row, StreamedUtterance) for row in rows)


def test_a_row_of_a_table_that_names_no_recording_is_left_out(tmp_path):
    soundfile.write(tmp_path / "a.wav", samples(encoded("abc")), 8000)
    table = pa.table({"audio": ["a.wav", None, " "], "text": TEXTS})
    pyarrow.parquet.write_table(table, tmp_path / "train.parquet")
    rows = made(opened(tmp_path))
    assert isinstance(rows[0], StreamedUtterance)
    assert [row.reason for row in rows[1:]] == ["unreadable", "unreadable"]
