"""Recordings inside of tables and shards: save_to_disk, parquet files, WebDataset."""

import io
import json
import tarfile

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import soundfile
from data_helpers import settings, tone, write_tone
from source_helpers import opened, rows_of, write_lines

from mynah.data.audio import files as audio_files
from mynah.data.preparation.prepare import prepare
from mynah.errors import UserError


def sounds(tmp_path, count):
    for number in range(count):
        file = write_tone(tmp_path / "sounds" / f"{number}.flac", 0.5, hertz=300 + 50 * number)
        yield number, file.read_bytes()


def prepared(tmp_path, path, **changed):
    config = settings(tmp_path, dataset_name=path, **{"eval_splits": ["test"], **changed})
    return prepare(config, working_directory=tmp_path)


# --- save_to_disk ---------------------------------------------------------------------------


def saved(tmp_path, count=3):
    held = {"audio": [], "sentence": [], "client_id": []}
    for number, content in sounds(tmp_path, count):
        held["audio"].append({"bytes": content, "path": None})
        held["sentence"].append(f"text {number}")
        held["client_id"].append(f"s{number}")
    return datasets.Dataset.from_dict(held).cast_column("audio", datasets.Audio(decode=False))


def test_a_saved_dataset_dict_is_read(tmp_path):
    full = saved(tmp_path, 5)
    splits = {"train": full.select(range(3)), "test": full.select([4, 3])}
    datasets.DatasetDict(splits).save_to_disk(str(tmp_path / "mine"))
    source = opened(tmp_path, "mine")
    assert source.format == "disk" and source.splits() == ["train", "test"]
    data = prepared(tmp_path, "mine")
    test = data.evaluation["test"]
    assert list(test.texts) == ["text 4", "text 3"] and list(test.speakers) == ["s4", "s3"]
    assert np.allclose(test.read_audio(0), tone(0.5, hertz=500), atol=1e-3)
    assert len(data.train) == 3


def test_a_saved_dataset_alone_and_recordings_it_names_are_read(tmp_path):
    files = [write_tone(tmp_path / "wav" / f"{number}.wav") for number in range(2)]
    held = {"audio": [str(file) for file in files], "text": ["a", "b"]}
    dataset = datasets.Dataset.from_dict(held).cast_column("audio", datasets.Audio(decode=False))
    dataset.save_to_disk(str(tmp_path / "mine"))
    train = prepared(tmp_path, "mine", eval_splits=None, eval_fraction=0.0).train
    assert len(train.read_audio(1)) == 16000


def test_a_damaged_saved_dataset_is_named(tmp_path):
    saved(tmp_path).save_to_disk(str(tmp_path / "mine"))
    shard = next((tmp_path / "mine").glob("*.arrow"))
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(UserError, match="cannot be read"):
        prepared(tmp_path, "mine", eval_splits=None)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "dataset_dict.json").write_text('{"splits": ["../mine"]}')
    with pytest.raises(UserError, match="not the name of a split"):
        opened(tmp_path, "other")


# --- parquet --------------------------------------------------------------------------------


def write_parquet(path, tmp_path, numbers, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    held = [
        {"audio": {"bytes": content, "path": f"{number}.flac"}, "text": f"text {number}"}
        | {name: values[number] for name, values in columns.items()}
        for number, content in sounds(tmp_path, max(numbers) + 1)
        if number in numbers
    ]
    pyarrow.parquet.write_table(pa.Table.from_pylist(held), path)


@pytest.mark.parametrize(
    "names",
    [
        ("data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet",
         "data/test-00000-of-00001.parquet"),
        ("train/0000.parquet", "train/0001.parquet", "test/0000.parquet"),
    ],
)  # fmt: skip
def test_a_downloaded_folder_of_parquet_files_has_its_splits(tmp_path, names):
    for position, name in enumerate(names):
        write_parquet(tmp_path / "mine" / name, tmp_path, [position])
    if names[0].startswith("data"):
        assert opened(tmp_path, "mine").format == "parquet"
        data = prepared(tmp_path, "mine")
        assert list(data.train.texts) == ["text 0", "text 1"]
        assert list(data.evaluation["test"].ids) == ["2.flac"]
        assert np.allclose(data.train.read_audio(1), tone(0.5, hertz=350), atol=1e-3)


def test_a_split_column_of_a_parquet_file_is_kept_to(tmp_path):
    write_parquet(
        tmp_path / "mine" / "metadata.parquet", tmp_path, [0, 1, 2],
        split=["train", "test", "train"],
    )  # fmt: skip
    data = prepared(tmp_path, "mine")
    assert list(data.train.texts) == ["text 0", "text 2"]
    assert list(data.evaluation["test"].texts) == ["text 1"]
    assert np.allclose(data.train.read_audio(1), tone(0.5, hertz=400), atol=1e-3)


def test_a_split_column_gives_no_split_that_no_row_tells(tmp_path, capsys):
    cells = ["dev", "test", "dev"]
    write_parquet(tmp_path / "mine" / "metadata.parquet", tmp_path, [0, 1, 2], split=cells)
    assert opened(tmp_path, "mine").splits() == ["dev", "test"]
    assert "have nothing in the column" not in " ".join(capsys.readouterr().out.split())


def test_a_split_of_a_parquet_column_in_other_cases_and_with_spaces_is_one_split(tmp_path):
    write_parquet(
        tmp_path / "mine" / "metadata.parquet", tmp_path, [0, 1, 2, 3, 4],
        split=["train", "Test", "train ", "Train", "test"],
    )  # fmt: skip
    assert opened(tmp_path, "mine").splits() == ["Test", "train"]
    data = prepared(tmp_path, "mine")
    assert list(data.train.texts) == ["text 0", "text 2", "text 3"]
    assert list(data.evaluation["test"].texts) == ["text 1", "text 4"]
    assert np.allclose(data.train.read_audio(2), tone(0.5, hertz=450), atol=1e-3)


@pytest.mark.parametrize("nothing", [None, "", " "])
@pytest.mark.parametrize(("file", "default"), [("metadata", "train"), ("test", "test")])
def test_a_row_that_tells_no_split_is_in_that_of_its_file_as_in_a_folder(
    tmp_path, capsys, nothing, file, default
):
    listed = tmp_path / "mine" / f"{file}.parquet"
    cells = ["train", nothing, "Test", nothing, "train"]
    write_parquet(listed, tmp_path, range(5), split=cells)
    write_lines(
        tmp_path / "folder" / f"{file}.csv", "file_name,text,split",
        *(f"{number}.wav,text {number},{cell or ''}" for number, cell in enumerate(cells)),
    )  # fmt: skip
    for number in range(5):
        write_tone(tmp_path / "folder" / f"{number}.wav")
    folder = opened(tmp_path, f"folder/{file}.csv")
    of_folder = {split: [row.text for row in rows_of(folder, split)] for split in folder.splits()}
    without = {"train": ["text 0", "text 4"], "test": ["text 2"]}
    expected = {**without, default: sorted([*without[default], "text 1", "text 3"])}
    assert {split.lower(): texts for split, texts in of_folder.items()} == expected
    data = prepared(tmp_path, f"mine/{file}.parquet")
    assert list(data.train.texts) == expected["train"]
    assert list(data.evaluation["test"].texts) == expected["test"]
    said = "2 of 5 rows of " + str(listed) + " have nothing in the column 'split'"
    assert said in " ".join(capsys.readouterr().out.split())


def test_a_parquet_listing_may_name_files_instead(tmp_path):
    write_tone(tmp_path / "mine" / "a.wav")
    table = pa.Table.from_pylist([{"file_name": "a.wav", "text": "hello", "is_silence": False}])
    pyarrow.parquet.write_table(table, tmp_path / "mine" / "metadata.parquet")
    source = opened(tmp_path, "mine")
    assert source.format == "folder" and rows_of(source)[0].text == "hello"


@pytest.mark.parametrize("kind", ["parquet", "disk"])
def test_a_table_may_hold_some_recordings_and_name_the_files_of_others(tmp_path, kind, monkeypatch):
    held = [content for _, content in sounds(tmp_path, 3)]
    (tmp_path / "mine" / "clips").mkdir(parents=True)
    (tmp_path / "mine" / "clips" / "1.flac").write_bytes(held[1])
    audio = [{"bytes": held[0], "path": "0.flac"}, {"bytes": None, "path": "clips/1.flac"},
             {"bytes": held[2], "path": None}, {"bytes": None, "path": None}]  # fmt: skip
    kinds = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
    features = datasets.Features({"audio": kinds, "text": datasets.Value("string")})
    table = datasets.Dataset.from_dict({"audio": audio, "text": list("abcd")}, features=features)
    if kind == "disk":
        table.save_to_disk(str(tmp_path / "mine"))
    else:
        table.to_parquet(str(tmp_path / "mine" / "train.parquet"))
    monkeypatch.chdir(tmp_path / "mine" / "clips")  # a name is not relative to where it is read
    changed = {"eval_splits": None, "eval_fraction": 0.0}
    data = prepared(tmp_path, str(tmp_path / "mine"), **changed)
    assert list(data.train.texts) == ["a", "b", "c"]
    assert data.report["splits"]["train"]["dropped"] == {"unreadable": 1}
    for row in range(3):
        expected = tone(0.5, hertz=300 + 50 * row)
        assert np.allclose(data.train.read_audio(row), expected, atol=1e-3)
    before = data.train.fingerprint
    (tmp_path / "mine" / "clips" / "1.flac").write_bytes(held[2])  # and a changed file is noticed
    assert prepared(tmp_path, str(tmp_path / "mine"), **changed).train.fingerprint != before


def test_a_table_names_no_file_outside_the_corpus(tmp_path):
    write_tone(tmp_path / "secret.wav")
    held = [{"audio": {"bytes": None, "path": "../secret.wav"}, "text": "x"}]
    (tmp_path / "mine").mkdir()
    schema = pa.schema(
        [("audio", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
         ("text", pa.string())]
    )  # fmt: skip
    pyarrow.parquet.write_table(
        pa.Table.from_pylist(held, schema=schema), tmp_path / "mine" / "train.parquet"
    )
    with pytest.raises(UserError, match="leads out of the corpus"):
        prepared(tmp_path, "mine", eval_splits=None)


def test_channels_of_a_table_cannot_be_split(tmp_path):
    write_parquet(tmp_path / "mine" / "train.parquet", tmp_path, [0])
    with pytest.raises(UserError, match="cannot share out") as caught:
        prepared(tmp_path, "mine", eval_splits=None, channels="split")
    assert "data.channels=mix" in str(caught.value)


# --- WebDataset -----------------------------------------------------------------------------


def write_tar(path, *files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in files:
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))


def test_webdataset_shards_are_read_in_their_places(tmp_path):
    held = dict(sounds(tmp_path, 4))
    about = {"text": "two", "speaker": "ann", "lang": "en", "extra": [1, 2]}
    write_tar(
        tmp_path / "shards" / "train-000000.tar",
        ("a/0.flac", held[0]), ("a/0.txt", b"zero\n"), ("a/1.flac", held[1]), ("a/1.txt", b"one"),
    )  # fmt: skip
    write_tar(
        tmp_path / "shards" / "train-000001.tar",
        ("2.json", json.dumps(about).encode()), ("2.flac", held[2]), ("readme.md", b"no sound"),
    )  # fmt: skip
    write_tar(tmp_path / "shards" / "test-000000.tar", ("3.flac", held[3]), ("3.txt", b"three"))
    source = opened(tmp_path, "shards")
    assert source.format == "webdataset" and source.splits() == ["test", "train"]
    rows = rows_of(source)
    assert [(row.id, row.text, row.speaker) for row in rows] == [
        ("a/0", "zero", ""), ("a/1", "one", ""), ("2", "two", "ann"),
    ]  # fmt: skip
    for number, row in enumerate(rows):
        recording = audio_files.read(
            row.path, 16000, byte_offset=row.byte_offset, byte_length=row.byte_length
        )
        assert np.allclose(recording, tone(0.5, hertz=300 + 50 * number), atol=1e-3)
    data = prepared(tmp_path, "shards")
    assert np.allclose(data.train.read_audio(2), tone(0.5, hertz=400), atol=1e-3)


def test_a_transcript_of_a_shard_without_its_recording_is_counted(tmp_path):
    held = dict(sounds(tmp_path, 2))
    write_tar(tmp_path / "shards" / "train-000000.tar", ("0.flac", held[0]), ("0.txt", b"zero"))
    write_tar(
        tmp_path / "shards" / "test-000000.tar",
        ("1.flac", held[1]), ("1.txt", b"one"), ("2.txt", b"two"),
        ("3.xyz", b"sound"), ("3.json", b'{"text": "three", "speaker": "ann"}'),
        ("readme.md", b"no sample"), ("about.json", b'{"license": "CC0"}'), ("all.json", b"[1, 2]"),
    )  # fmt: skip
    rows = rows_of(opened(tmp_path, "shards"), "test")
    assert [(row.id, row.text, row.speaker) for row in rows] == [
        ("1", "one", ""), ("2", "two", ""), ("3", "three", "ann"),
    ]  # fmt: skip
    assert [row.fault.partition(":")[0] for row in rows] == [
        "", "no recording is beside its .txt", "no recording is beside its .json, .xyz",
    ]  # fmt: skip
    account = prepared(tmp_path, "shards").report["splits"]["test"]
    assert (account["kept"], account["unreadable"]) == (3, 2)
    assert [row["id"] for row in account["kept_unreadable"]] == ["2", "3"]
    train = prepared(tmp_path, "shards", train_splits=["test"], eval_splits=[])
    assert train.report["splits"]["train"]["dropped"] == {"unreadable": 2}


@pytest.mark.parametrize("name", ["LICENSE", "README", "docs/readme.de", "Notice", "COPYING"])
def test_a_document_in_a_shard_is_not_a_transcript(tmp_path, name):
    held = dict(sounds(tmp_path, 1))
    write_tar(
        tmp_path / "shards" / "a.tar", ("0.flac", held[0]), ("0.txt", b"zero"),
        (f"{name}.txt", b"Licensed under the Apache License, Version 2.0"), ("1.txt", b"one"),
    )  # fmt: skip
    rows = rows_of(opened(tmp_path, "shards"))
    assert [(row.id, bool(row.fault)) for row in rows] == [("0", False), ("1", True)]


def test_a_recording_that_is_called_as_a_document_is_an_utterance(tmp_path):
    held = dict(sounds(tmp_path, 1))
    write_tar(tmp_path / "shards" / "a.tar", ("notice.flac", held[0]), ("notice.txt", b"notice"))
    rows = rows_of(opened(tmp_path, "shards"))
    assert [(row.id, row.text, row.fault) for row in rows] == [("notice", "notice", "")]


def test_several_recordings_of_one_name_in_a_shard_are_refused(tmp_path):
    """WebDataset ends a name at its first dot: of a speaker's files one was left."""
    for number, content in sounds(tmp_path, 3):
        members = [(f"anna.{number}.flac", content), (f"anna.{number}.txt", b"a")]
        with tarfile.open(tmp_path / "mine.tar", "a") as tar:
            for name, held in members:
                member = tarfile.TarInfo(name)
                member.size = len(held)
                tar.addfile(member, io.BytesIO(held))
    with pytest.raises(UserError, match=r"anna\.0\.flac and anna\.1\.flac are recordings of one"):
        rows_of(opened(tmp_path, "mine.tar"))


@pytest.mark.parametrize("texts_first", [True, False])
def test_an_utterance_whose_files_do_not_follow_each_other_comes_once(tmp_path, texts_first):
    held = dict(sounds(tmp_path, 2))
    recordings = [("0.flac", held[0]), ("1.flac", held[1])]
    texts = [("0.txt", b"zero"), ("1.txt", b"one")]
    files = texts + recordings if texts_first else recordings + texts
    write_tar(tmp_path / "shards" / "a.tar", *files)
    rows = rows_of(opened(tmp_path, "shards"))
    # In the middle 1.txt and 0.flac, or 1.flac and 0.txt, have two names.
    assert [(row.id, row.fault) for row in rows] == [("0", ""), ("1", "")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda tar: tar[: len(tar) // 3], "cut short|cannot be read"),
        (lambda tar: b"\x1f\x8b" + tar, "is compressed"),
        (lambda tar: b"no tar at all" * 100, "cannot be read"),
    ],
)
def test_a_shard_that_is_broken_is_named(tmp_path, content, message):
    held = dict(sounds(tmp_path, 1))
    write_tar(tmp_path / "shards" / "a.tar", ("0.flac", held[0]), ("0.txt", b"zero"))
    shard = tmp_path / "shards" / "a.tar"
    shard.write_bytes(content(shard.read_bytes()))
    with pytest.raises(UserError, match=message) as caught:
        rows_of(opened(tmp_path, "shards"))
    assert "a.tar" in str(caught.value)


@pytest.mark.parametrize("kind", ["bytes alone", "large bytes", "path alone", "both"])
def test_recordings_in_or_beside_a_table_are_read_as_the_files_are(tmp_path, monkeypatch, kind):
    root, elsewhere = tmp_path / "corpus", tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    for number in range(3):
        write_tone(root / "wavs" / f"{number}.wav", 0.3 + number / 10, hertz=200 + 50 * number)
    files = [root / "wavs" / f"{number}.wav" for number in range(3)]
    held = [file.read_bytes() for file in files]
    names = [f"wavs/{file.name}" for file in files]
    struct = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    audio = {
        "bytes alone": pa.array(held, pa.binary()),
        "large bytes": pa.array(held, pa.large_binary()),
        "path alone": pa.array([{"bytes": None, "path": name} for name in names], struct),
        "both": pa.array(
            [{"bytes": one, "path": name} for one, name in zip(held, names, strict=True)], struct
        ),
    }[kind]
    table = pa.table({"audio": audio, "text": ["one", "two", "three"]})
    pyarrow.parquet.write_table(table.slice(0, 2), root / "train.parquet")
    pyarrow.parquet.write_table(table.slice(2), root / "validation.parquet")
    config = settings(tmp_path, path=str(root), format="parquet")
    config.eval_splits = ["validation"]
    found = prepare(config, working_directory=elsewhere)
    for corpus, some in ((found.train, files[:2]), (found.evaluation["validation"], files[2:])):
        for row, file in enumerate(some):
            samples, rate = soundfile.read(file, dtype="float32")
            assert rate == corpus.sample_rate and corpus.durations[row] == len(samples) / rate
            assert np.array_equal(corpus.read_audio(row), samples)
