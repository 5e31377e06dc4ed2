"""Corpus formats: each as it is distributed, and each way to get it wrong."""

import json
import shutil
import sys

import pytest
from data_helpers import real_corpus, settings, tone, write_folder, write_tone

from mynah.config.plugins.formats import FORMATS
from mynah.data.preparation.prepare import prepare
from mynah.data.sources import Place, find_format, format_of, open_source
from mynah.errors import UserError


def opened(tmp_path, **changed):
    config = settings(tmp_path, **changed)
    place = Place(tmp_path, tmp_path / "cache", None, 1, offline=True)
    return open_source(config, place)


def rows(source, split="train"):
    return [row for part in source.parts(split) for row in source.rows(part)]


def test_every_format_is_a_class_that_says_its_name():
    for name in FORMATS.own:
        assert format_of(name).format == name


# --- a folder -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metadata.csv", 'file_name,text,speaker\na.wav,"hello, you",ann\n'),
        ("metadata.csv", "audio|transcript|client_id\na.wav|hello, you|ann\n"),
        ("anything.tsv", 'path\tsentence\tclient_id\na\thello, you\tann\n'),
        ("metadata.jsonl", '{"file_name": "a.wav", "text": "hello, you", "speaker": "ann"}\n'),
        ("metadata.csv", "audio;transcript;client_id\r\na.wav;hello, you;ann\r\n"),
        ("manifest.json",
         '{"audio": "a.wav", "text": "hello, you", "spk": "ann", "duration": 0.5}\n'),
        ("metadata.json",
         '[{"audio": "a.wav", "transcription": "hello, you", "speaker_id": "ann"}]'),
    ],
)  # fmt: skip
def test_a_listing_is_understood_by_its_usual_headers(tmp_path, name, content):
    write_tone(tmp_path / "mine" / "a.wav", 0.5)
    (tmp_path / "mine" / name).write_text(content, encoding="utf-8")
    (row,) = rows(opened(tmp_path, dataset_name="mine"))
    assert (row.text, row.speaker) == ("hello, you", "ann")
    assert row.path == str(tmp_path / "mine" / "a.wav") and row.duration_seconds is None


def test_a_parquet_listing_with_embedded_audio_is_read(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet

    content = write_tone(tmp_path / "x.wav", 0.7).read_bytes()
    (tmp_path / "mine").mkdir()
    table = pa.Table.from_pylist([{"audio": {"bytes": content, "path": "x.wav"}, "text": "hi"}])
    pyarrow.parquet.write_table(table, tmp_path / "mine" / "metadata.parquet")
    config = settings(tmp_path, dataset_name="mine", eval_fraction=0.0, eval_splits=None)
    train = prepare(config, working_directory=tmp_path).train
    assert train.ids == ["x.wav"] and len(train.read_audio(0)) == 11200


def test_ones_own_headers_are_mapped(tmp_path):
    write_tone(tmp_path / "mine" / "a.wav")
    (tmp_path / "mine" / "metadata.csv").write_text("clip,said,who\na.wav,hello,ann\n")
    columns = {"audio": "clip", "text": "said", "speaker": "who"}
    (row,) = rows(opened(tmp_path, dataset_name="mine", columns=columns))
    assert (row.text, row.speaker) == ("hello", "ann")
    with pytest.raises(UserError, match="has: clip, said, who") as caught:
        opened(tmp_path, dataset_name="mine")
    assert "data.columns.audio=" in str(caught.value)
    with pytest.raises(UserError) as caught:
        opened(tmp_path, dataset_name="mine", columns={**columns, "text": "sayd"})
    assert "data.columns.text=said" in str(caught.value)
    with pytest.raises(UserError, match="not a column of Mynah"):
        opened(tmp_path, dataset_name="mine", columns={"txt": "said"})


def test_several_utterances_of_one_file_are_cut_out(tmp_path):
    write_tone(tmp_path / "mine" / "a.wav", 3.0)
    lines = ["file_name,text,offset,duration", "a.wav,one,0.0,1.0", "a.wav,two,1.0,0.5"]
    (tmp_path / "mine" / "metadata.csv").write_text("\n".join(lines))
    config = settings(tmp_path, dataset_name="mine", eval_fraction=0.0, eval_splits=None)
    train = prepare(config, working_directory=tmp_path).train
    assert train.ids == ["a.wav", "a.wav#2"]
    assert train.durations.tolist() == [1.0, 0.5] and len(train.read_audio(1)) == 8000
    assert train.audio_file(1) is None


def test_splits_come_from_a_column_from_folders_or_from_file_names(tmp_path):
    column = tmp_path / "column"
    write_tone(column / "a.wav")
    (column / "metadata.csv").write_text("file_name,text,split\na.wav,x,train\na.wav,y,dev\n")
    folders, names = tmp_path / "folders", tmp_path / "names"
    for split in ("train", "test"):
        write_folder(folders / split, [("a.wav", "hello", "s")])
        write_tone(names / "clips" / f"{split}.wav")
        (names / f"{split}.csv").write_text(f"path,sentence\n{split}.wav,hello\n")
    source = opened(tmp_path, dataset_name="column")
    assert source.splits() == ["train", "dev"] and source.has_splits
    assert rows(source, "validation")[0].text == "y"  # the usual name for it works too
    for folder in ("folders", "names"):
        source = opened(tmp_path, dataset_name=folder)
        assert sorted(source.splits()) == ["test", "train"]
        assert len(rows(source, "test")) == 1


def test_a_text_file_beside_each_recording_is_its_transcript(tmp_path):
    for split, speaker, name in (("train", "ann", "a"), ("train", "bob", "b"), ("dev", "cid", "c")):
        file = write_tone(tmp_path / "mine" / split / speaker / f"{name}.flac")
        file.with_suffix(".txt").write_text(f"text of\n{name}")
    write_tone(tmp_path / "mine" / "train" / "ann" / "without.flac")
    source = opened(tmp_path, dataset_name="mine")
    assert [(row.id, row.text, row.speaker) for row in rows(source)] == [
        ("train/ann/a.flac", "text of a", "ann"),
        ("train/ann/without.flac", None, "ann"),
        ("train/bob/b.flac", "text of b", "bob"),
    ]
    assert [row.speaker for row in rows(source, "validation")] == ["cid"]


def test_lj_speechs_own_listing_is_understood(tmp_path):
    write_tone(tmp_path / "lj" / "wavs" / "LJ001-0001.wav")
    (tmp_path / "lj" / "metadata.csv").write_text(
        'LJ001-0001|In 1455, "printing"|In fourteen fifty five, "printing"\n'
    )
    (row,) = rows(opened(tmp_path, dataset_name="lj"))
    assert row.text == 'In fourteen fifty five, "printing"'
    assert row.path == str(tmp_path / "lj" / "wavs" / "LJ001-0001.wav")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("file_name,text\na.wav,one, two\n", "more than the header, which has 2"),
        ("file_name,speaker\na.wav,ann\n", "hold transcripts"),
        ("file_name,text\na.wav,\n", "no transcripts"),
    ],
)
def test_a_listing_that_cannot_be_meant_says_what_is_wrong(tmp_path, content, message):
    write_tone(tmp_path / "mine" / "a.wav")
    (tmp_path / "mine" / "metadata.csv").write_text(content)
    with pytest.raises(UserError, match=message):
        opened(tmp_path, dataset_name="mine")


def test_a_broken_line_of_a_manifest_is_named(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "metadata.jsonl").write_text('{"audio": "a", "text": "b"}\n{"audio": \n')
    with pytest.raises(UserError, match="line 2"):
        opened(tmp_path, dataset_name="mine")


def test_a_missing_an_empty_and_a_wordless_folder_are_kept_apart(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "recordings").mkdir()
    write_tone(tmp_path / "wordless" / "a.wav")
    (tmp_path / "soundless").mkdir()
    (tmp_path / "soundless" / "notes.md").write_text("x")
    with pytest.raises(UserError, match="There is no folder") as caught:
        opened(tmp_path, dataset_name="./recording")
    assert "holds: recordings" in str(caught.value)
    with pytest.raises(UserError, match="This folder is empty"):
        opened(tmp_path, dataset_name="empty")
    with pytest.raises(UserError, match="no recordings in this folder"):
        opened(tmp_path, dataset_name="soundless")
    with pytest.raises(UserError, match="no transcripts in this folder"):
        opened(tmp_path, dataset_name="wordless")


# --- LibriSpeech ----------------------------------------------------------------------------


def write_librispeech(root, *subsets):
    import soundfile

    for number, subset in enumerate(subsets):
        chapter = root / subset / f"{number + 1}" / "10"
        chapter.mkdir(parents=True)
        lines = []
        for utterance in range(2):
            name = f"{number + 1}-10-{utterance:04d}"
            soundfile.write(chapter / f"{name}.flac", tone(0.5), 16000)
            lines.append(f"{name} WORDS OF {utterance}")
        (chapter / f"{number + 1}-10.trans.txt").write_text("\n".join(lines) + "\n")
    return root


def test_librispeech_has_the_folders_splits_and_the_hubs(tmp_path):
    write_librispeech(
        tmp_path / "LibriSpeech", "train-clean-100", "train-clean-360", "train-other-500",
        "dev-clean", "dev-other", "test-clean", "test-other",
    )  # fmt: skip
    both = opened(
        tmp_path,
        dataset_name="openslr/librispeech_asr",
        path=".",
        dataset_configs=["clean", "other"],
    )
    named = lambda split: [(part.name, part.key) for part in both.parts(split)]  # noqa: E731
    assert named("train-clean-100") == [("train-clean-100", "train-clean-100")]
    assert [key for _, key in named("train.500")] == ["train-other-500"]
    assert [key for _, key in named("train.clean.360")] == ["train-clean-360"]
    assert [key for _, key in named("train")] == [
        "train-clean-100", "train-clean-360", "train-other-500",
    ]  # fmt: skip
    assert named("validation") == [
        ("validation.clean", "dev-clean"), ("validation.other", "dev-other"),
    ]  # fmt: skip
    assert named("test.other") == [("test.other", "test-other")]
    clean = opened(tmp_path, dataset_name="librispeech", path=".", dataset_configs=["clean"])
    assert [part.name for part in clean.parts("validation")] == ["validation"]
    with pytest.raises(UserError, match="It has: dev-clean"):
        clean.parts("train.500")
    (first, _) = both.rows(both.parts("validation.other")[0])
    assert (first.id, first.text, first.speaker) == ("5-10-0000", "WORDS OF 0", "5")


def test_the_folder_above_or_the_tree_itself_can_be_given(tmp_path):
    write_librispeech(tmp_path / "data" / "LibriSpeech", "train-clean-5", "dev-clean-2")
    for path in ("data", "data/LibriSpeech"):
        source = opened(tmp_path, dataset_name="librispeech", path=path)
        assert source.splits() == ["dev-clean-2", "train-clean-5"]
        assert find_format(settings(tmp_path, path=path), tmp_path) == "librispeech"
    assert [part.key for part in source.parts("validation")] == ["dev-clean-2"]
    with pytest.raises(UserError, match="no LibriSpeech here"):
        opened(tmp_path, dataset_name="librispeech", path=".", format="librispeech")
    with pytest.raises(UserError) as caught:
        opened(tmp_path, dataset_name="librispeech")
    assert "data.path=FOLDER" in str(caught.value)


def test_the_real_sample_of_librispeech_is_read(tmp_path):
    path = tmp_path / "sample"  # a copy, for the list of who is held out is written beside a corpus
    shutil.copytree(real_corpus("librispeech_sample"), path)
    config = settings(
        tmp_path, dataset_name="librispeech", path=str(path), train_splits=["train-clean-5"],
        eval_splits=None, eval_fraction=0.4,
    )  # fmt: skip
    data = prepare(config, working_directory=tmp_path)
    assert len(data.train) + len(data.evaluation["held_out"]) == 24
    assert data.report["held_out"]["by"] == "speaker"
    assert data.train.hours > 0.03


# --- AN4 ------------------------------------------------------------------------------------


def test_an4_is_read_as_it_is_distributed(tmp_path):
    source = opened(tmp_path, dataset_name="an4", path=str(real_corpus("an4")))
    assert source.splits() == ["train", "test"]
    train, test = rows(source, "train"), rows(source, "test")
    assert (len(train), len(test)) == (948, 130)
    assert not {row.speaker for row in train} & {row.speaker for row in test}
    assert sum(len(row.text.split()) for row in test) == 773
    assert (train[0].id, train[0].text, train[0].speaker) == ("an251-fash-b", "YES", "fash")


def test_an4_without_a_folder_or_in_the_wrong_one_says_so(tmp_path):
    with pytest.raises(UserError, match="say where it lies"):
        opened(tmp_path, dataset_name="an4")
    with pytest.raises(UserError, match="no AN4 corpus here"):
        opened(tmp_path, dataset_name="an4", path=".")


def test_a_name_that_is_nothing_offers_the_nearest(tmp_path):
    with pytest.raises(UserError, match="no corpus 'synthetc'") as caught:
        opened(tmp_path, dataset_name="synthetc")
    assert "data.dataset_name=synthetic" in str(caught.value)


def test_looking_for_a_format_imports_no_library_of_models():
    import subprocess

    code = (
        "import sys, json; from pathlib import Path; from mynah.config.schema import DataConfig; "
        "from mynah.data.sources import find_format; "
        "assert find_format(DataConfig(), Path('.')) == 'synthetic'; "
        "print(json.dumps([n for n in ('torch', 'datasets') if n in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert json.loads(done.stdout) == []
