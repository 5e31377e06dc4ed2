"""Shards of every format give the same rows, from any row on, and fail by name."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest
from huggingface_hub import constants
from shard_files import (
    encoded,
    transcripts,
    write_arrow,
    write_manifest,
    write_parquet,
    write_tar,
)

from mynah.config.schema import DataConfig
from mynah.data.row import Row
from mynah.data.streams.files import find_shards
from mynah.data.streams.reader import BadRow
from mynah.data.streams.rows import LeftOut, StreamedUtterance, usable
from mynah.data.streams.stream import Stream, open_stream
from mynah.data.text import TextPolicy
from mynah.errors import UserError

TEXTS = transcripts(23)
IDS = [f"utterance-{number:02d}" for number in range(23)]
FORMATS = {
    "train.parquet": write_parquet,
    "train.arrow": write_arrow,
    "train.tar": write_tar,
    "train.tar.gz": write_tar,
    "train.jsonl": write_manifest,
}


def opened(root: Path, **changed) -> Stream:
    config = DataConfig(dataset_name=str(root), streaming=True)
    for name, value in changed.items():
        setattr(config, name, value)
    return open_stream(config, offline=True, working_directory=root)


@pytest.fixture(scope="module", params=FORMATS)
def corpus(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("corpus")
    FORMATS[request.param](root / request.param, IDS, TEXTS)
    return root


@pytest.mark.parametrize("start", [0, 1, 7, 8, 22, 23])
def test_a_shard_gives_its_rows_from_any_row_on(corpus, start):
    rows = list(opened(corpus).reader.rows(0, start))
    assert [row.id for row in rows] == IDS[start:]
    assert [row.text for row in rows] == TEXTS[start:]
    for row in rows:
        content = row.audio if row.audio is not None else Path(row.path).read_bytes()
        kind = "WAV" if row.path else "FLAC"
        assert content == encoded(row.text, kind)


@pytest.mark.parametrize("name", ["train.parquet", "train.arrow", "train.jsonl"])
def test_what_else_a_shard_says_of_a_row_is_kept_for_error_rates_by_it(tmp_path, name):
    others = {"gender": ["f", "m", "f"], "age": [31, 7, 64], "frames": [[0.1], [0.2], [0.3]]}
    FORMATS[name](tmp_path / name, IDS[:3], TEXTS[:3], speaker=["a", "b", "c"], **others)
    rows = list(opened(tmp_path).reader.rows(0))
    assert [row.speaker for row in rows] == ["a", "b", "c"]
    assert [json.loads(row.columns) for row in rows] == [
        {"gender": "f", "age": "31"},
        {"gender": "m", "age": "7"},
        {"gender": "f", "age": "64"},
    ]


def test_transcripts_are_read_without_the_audio(corpus):
    rows = list(opened(corpus).reader.rows(0, audio=False))
    assert [row.text for row in rows] == TEXTS
    assert not any(row.audio for row in rows)
    assert list(opened(corpus, tokenizer_rows=5).tokenizer_texts) == TEXTS[:5]


def test_splits_are_recognized_by_folders_and_by_names(tmp_path):
    names = [
        "train/0001.tar", "train/0000.tar", "validation/0000.tar", "dev-00001-of-00002.parquet",
        "dev-00000-of-00002.parquet", "other/part_000.jsonl", ".hidden/train.tar",
    ]  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "other" / "part_000.jsonl").unlink()
    found = find_shards(tmp_path)
    shown = {split: [f.path.relative_to(tmp_path).as_posix() for f in files]
             for split, files in found.items()}  # fmt: skip
    assert shown == {
        "train": ["train/0000.tar", "train/0001.tar"],
        "validation": ["validation/0000.tar"],
        "dev": ["dev-00000-of-00002.parquet", "dev-00001-of-00002.parquet"],
    }


def test_a_split_in_two_formats_is_refused(tmp_path):
    for name in ("train-000.tar", "train-001.parquet"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(UserError, match=r"several formats: \.parquet, \.tar"):
        opened(tmp_path)


def test_a_shard_that_fails_twice_gives_each_row_once(tmp_path, monkeypatch, capsys):
    write_parquet(tmp_path / "train.parquet", IDS, TEXTS)
    reader = opened(tmp_path).reader
    full, calls = reader.read, []

    def failing(shard, start, *, audio):
        calls.append(start)
        for place, row in enumerate(full(shard, start, audio=audio), start):
            if len(calls) <= 2 and place == 10:
                raise ConnectionError("the line is cut")
            yield row

    monkeypatch.setattr(reader, "read", failing)
    assert [row.id for row in reader.rows(0)] == IDS
    assert calls == [0, 10, 10]
    assert capsys.readouterr().out.count("the line is cut") == 2


def truncated(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


@pytest.mark.parametrize("name", ["train.parquet", "train.arrow", "train.tar", "train.tar.gz"])
def test_a_shard_that_is_cut_short_is_named_with_the_row_it_ends_at(tmp_path, name):
    path = FORMATS[name](tmp_path / name, IDS, TEXTS)
    truncated(path, 0.7)
    with pytest.raises(UserError, match=rf"Shard {name} cannot be read beyond row \d+") as caught:
        list(opened(tmp_path).reader.rows(0))
    assert "resume_from_checkpoint=last" in caught.value.fix


def test_a_tar_that_is_cut_between_two_members_is_not_a_complete_tar(tmp_path):
    path = write_tar(tmp_path / "train.tar", IDS, TEXTS)
    full = path.read_bytes()
    rest = full.rstrip(b"\0")
    path.write_bytes(full[: -(-len(rest) // 512) * 512])
    with pytest.raises(UserError, match="end mark is missing"):
        list(opened(tmp_path).reader.rows(0))


@pytest.mark.parametrize("held", ["bytes", "path", "range"])
def test_a_recording_that_ends_before_its_header_says_is_unreadable(tmp_path, held):
    content = encoded("abcd", "WAV")  # 44 bytes of header, and 400 ms of 16 bits at 8,000 hertz
    to_pipe = content[:40] + b"\xff" * 4 + content[44:]  # a size that a writer to a pipe leaves
    for one, seconds in ((content, 0.4), (to_pipe, 0.4), (content[:3244], None)):
        (tmp_path / "shard").write_bytes(b"before" * (held == "range") + one + b"x" * 9)
        (tmp_path / "one.wav").write_bytes(one)
        row = {
            "bytes": Row("a", None, "one", audio=one),
            "path": Row("a", str(tmp_path / "one.wav"), "one"),
            "range": Row("a", str(tmp_path / "shard"), "one", byte_offset=6, byte_length=len(one)),
        }[held]
        found = usable(row, DataConfig(sample_rate=8000), TextPolicy())
        if seconds is not None:
            assert isinstance(found, StreamedUtterance) and found.duration_seconds == seconds
        else:
            cut = "it is cut short: 3,244 of 6,444 bytes are there"
            assert found == LeftOut("a", "unreadable", cut)


def test_a_gzipped_manifest_that_is_cut_short_is_named(tmp_path):
    path = write_manifest(tmp_path / "train.jsonl", IDS, TEXTS)
    (tmp_path / "train.jsonl.gz").write_bytes(gzip.compress(path.read_bytes())[:-20])
    path.unlink()
    with pytest.raises(UserError, match=r"Shard train\.jsonl\.gz cannot be read beyond row"):
        list(opened(tmp_path).reader.rows(0))


@pytest.mark.parametrize("write", [write_parquet, write_arrow])
def test_a_missing_text_column_is_an_error_that_lists_the_columns(tmp_path, write):
    import pyarrow.parquet

    path = write(tmp_path / f"train.{'parquet' if write is write_parquet else 'arrow'}", IDS, TEXTS)
    if write is write_parquet:
        table = pyarrow.parquet.read_table(path)
        pyarrow.parquet.write_table(table.rename_columns(["id", "audio", "spoken"]), path)
    else:
        shutil.copy(path, tmp_path / "kept")
        with pyarrow.OSFile(str(tmp_path / "kept")) as file:
            table = pyarrow.ipc.open_stream(file).read_all()
        table = table.rename_columns(["id", "audio", "spoken"])
        sink = pyarrow.OSFile(str(path), "wb")
        with sink, pyarrow.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    with pytest.raises(UserError, match="no column for text; it has: id, audio, spoken") as caught:
        next(opened(tmp_path).reader.rows(0))
    assert caught.value.fix == "data.columns.text=NAME_OF_THE_COLUMN"
    mapped = opened(tmp_path, columns={"text": "spoken"}).reader.rows(0)
    assert [row.text for row in mapped] == TEXTS


def test_a_manifest_that_leads_out_of_its_folder_is_refused(tmp_path):
    reported = {"audio_filepath": "../../etc/passwd", "text": "a"}
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "train.jsonl").write_text(json.dumps(reported) + "\n")
    with pytest.raises(UserError, match="leads out of the corpus"):
        next(opened(tmp_path / "corpus").reader.rows(0))


def test_a_tar_member_without_a_recording_is_one_bad_row(tmp_path):
    import io
    import tarfile

    write_tar(tmp_path / "train.tar", IDS[:2], TEXTS[:2])
    with tarfile.open(tmp_path / "train.tar", "a") as tar:
        member = tarfile.TarInfo("lone.txt")
        member.size = 3
        tar.addfile(member, io.BytesIO(b"abc"))
    rows = list(opened(tmp_path).reader.rows(0))
    assert rows[2] == BadRow("lone", rows[2].reason) and "no recording" in rows[2].reason


def test_a_folder_without_shards_says_what_can_be_streamed(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(UserError, match="nothing to stream") as caught:
        opened(tmp_path)
    assert "WebDataset" in caught.value.fix and "data.streaming=false" in caught.value.fix


def test_a_split_that_is_not_there_names_those_that_are(tmp_path):
    write_tar(tmp_path / "train.tar", IDS[:2], TEXTS[:2])
    with pytest.raises(UserError, match=r"no split 'trian'. It has: train"):
        opened(tmp_path, train_splits=["trian"])


@pytest.fixture
def librispeech(tmp_path, monkeypatch):
    from standin_corpora import install_librispeech

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return install_librispeech(tmp_path / "hub")


def hub(tmp_path, **changed) -> Stream:
    config = DataConfig(dataset_name="openslr/librispeech_asr", streaming=True)
    config.dataset_cache_dir = str(tmp_path / "cache")
    for name, value in changed.items():
        setattr(config, name, value)
    return open_stream(config, offline=True, working_directory=tmp_path)


def test_a_hub_dataset_is_streamed_from_all_its_configurations(librispeech, tmp_path):
    stream = hub(
        tmp_path, dataset_configs=["clean", "other"], train_splits=["train.100", "train.500"]
    )
    assert stream.reader.shards == (
        "clean/train.100, shard 1 of 1",
        "other/train.500, shard 1 of 1",
    )
    rows = [row for shard in (0, 1) for row in stream.reader.rows(shard)]
    assert len(rows) == 16 and all(row.audio and row.text and row.speaker for row in rows)
    assert list(stream.reader.rows(1, 5)) == rows[13:]


def test_a_hub_split_that_is_not_there_is_an_error(librispeech, tmp_path):
    with pytest.raises(UserError, match=r"no split 'train\.900'"):
        hub(tmp_path, dataset_configs=["clean"], train_splits=["train.900"])
