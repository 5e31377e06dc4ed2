"""Columns of a corpus beside those that Mynah reads: kept from every kind of listing."""

from __future__ import annotations

import json

import datasets
import pytest
from data_helpers import settings, write_tone
from source_helpers import opened, rows_of, write_json_lines, write_lines

from mynah.data.preparation.prepare import prepare


def columns(source, split: str = "train") -> list[dict]:
    return [json.loads(row.columns) if row.columns else {} for row in rows_of(source, split)]


def test_other_columns_of_a_table_are_kept_and_texts_and_known_columns_are_not(tmp_path):
    write_lines(
        tmp_path / "mine" / "metadata.csv",
        "file_name,text,speaker,Gender,accent,age,sentence,note,empty",
        f"a.wav,one two,ann,female,Scottish,23,One two.,{'long ' * 40},",
        "b.wav,three,bob,male,,41,Three.,short,",
    )
    found = columns(opened(tmp_path, "mine"))
    assert found == [
        {"Gender": "female", "accent": "Scottish", "age": "23"},
        {"Gender": "male", "age": "41", "note": "short"},
    ]


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.tsv"])
def test_lines_of_json_and_tabs_keep_them_too(tmp_path, name):
    rows = [{"audio": "a.wav", "text": "one", "domain": "news", "snr": 12.5}]
    if name.endswith("jsonl"):
        rows[0] |= {"words": [{"a": 1}], "noisy": True, "nothing": None}
        write_json_lines(tmp_path / "mine" / name, *rows)
        expected = {"domain": "news", "snr": "12.5", "noisy": "true"}
    else:
        write_lines(tmp_path / "mine" / name, "audio\ttext\tdomain\tsnr", "a.wav\tone\tnews\t12.5")
        expected = {"domain": "news", "snr": "12.5"}
    assert columns(opened(tmp_path, "mine")) == [expected]


def test_half_a_pair_of_code_units_in_a_column_costs_nothing(tmp_path):
    line = '{"audio": "a.wav", "text": "one", "domain": "\\ud800x"}'
    write_lines(tmp_path / "mine" / "metadata.jsonl", line)
    assert columns(opened(tmp_path, "mine")) == [{"domain": "\\ud800x"}]


def test_common_voice_keeps_age_gender_and_accents(tmp_path):
    folder = tmp_path / "cv"
    write_tone(folder / "clips" / "a.mp3")
    write_lines(
        folder / "train.tsv",
        "client_id\tpath\tsentence\tup_votes\tage\tgender\taccents\tlocale\tsegment",
        "c1\ta.mp3\tHallo\t2\ttwenties\tfemale_feminine\tDeutschland\tde\t",
    )
    assert columns(opened(tmp_path, "cv")) == [
        {
            "up_votes": "2",
            "age": "twenties",
            "gender": "female_feminine",
            "accents": "Deutschland",
        }
    ]


def test_lhotse_keeps_gender_and_custom_fields_of_a_supervision(tmp_path):
    source = {"type": "file", "channels": [0], "source": "a.wav"}
    recording = {"id": "r", "sources": [source], "duration": 1.0, "sampling_rate": 16000}
    said = {"id": "u", "start": 0, "duration": 1.0, "channel": 0, "text": "one", "speaker": "ann"}
    said |= {"gender": "F", "custom": {"accent": "US", "context": ["Ann"], "words": [1]}}
    cut = {"id": "c", "start": 0, "duration": 1.0, "channel": 0, "type": "MonoCut"}
    write_tone(tmp_path / "m" / "a.wav")
    write_json_lines(
        tmp_path / "m" / "cuts_train.jsonl", {**cut, "recording": recording, "supervisions": [said]}
    )
    assert columns(opened(tmp_path, "m")) == [{"gender": "F", "accent": "US"}]


def test_nemo_kaldi_and_librispeech_keep_theirs(tmp_path):
    write_json_lines(
        tmp_path / "nemo" / "train_manifest.json",
        {"audio_filepath": "a.wav", "duration": 1.0, "text": "one", "domain": "news"},
    )
    assert columns(opened(tmp_path, "nemo")) == [{"domain": "news"}]
    kaldi = tmp_path / "kaldi"
    write_lines(kaldi / "wav.scp", "u1 a.wav")
    write_lines(kaldi / "text", "u1 one")
    write_lines(kaldi / "utt2spk", "u1 ann")
    write_lines(kaldi / "spk2gender", "ann f")
    assert columns(opened(tmp_path, "kaldi")) == [{"gender": "f"}]
    libri = tmp_path / "LibriSpeech"
    write_tone(libri / "dev-clean" / "84" / "1" / "84-1-0000.flac")
    write_lines(libri / "dev-clean" / "84" / "1" / "84-1.trans.txt", "84-1-0000 ONE")
    write_lines(libri / "SPEAKERS.TXT", ";ID |SEX| SUBSET", "84 | F | dev-clean | 8.02 | Christie")
    assert columns(opened(tmp_path, libri), "dev-clean") == [{"gender": "F"}]


def test_a_dataset_keeps_scalars_and_names_of_classes(tmp_path):
    content = write_tone(tmp_path / "a.wav").read_bytes()
    features = datasets.Features(
        {
            "audio": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")},
            "text": datasets.Value("string"),
            "gender": datasets.ClassLabel(names=["male", "female"]),
            "chapter_id": datasets.Value("int64"),
            "vector": datasets.Sequence(datasets.Value("float32")),
        }
    )
    row = {"text": "one", "gender": 1, "chapter_id": 7, "vector": [1.0]}
    rows = [{"audio": {"bytes": content, "path": None}, **row}]
    datasets.Dataset.from_list(rows, features=features).save_to_disk(str(tmp_path / "saved"))
    data = prepare(
        settings(tmp_path, path=str(tmp_path / "saved"), eval_splits=["train"]),
        working_directory=tmp_path,
        train=False,
    )
    (held,) = data.evaluation["train"].columns
    assert json.loads(held) == {"gender": "female", "chapter_id": "7"}


def test_another_column_changes_no_fingerprint_and_no_recording_is_read_again(
    tmp_path, monkeypatch
):
    folder = tmp_path / "mine"
    for name in ("a.wav", "b.wav"):
        write_tone(folder / name)
    listing = folder / "metadata.csv"

    def prepared(*lines: str):
        write_lines(listing, *lines)
        config = settings(tmp_path, dataset_name=str(folder), eval_splits=["train"])
        return prepare(config, working_directory=tmp_path, train=False).evaluation["train"]

    plain = prepared("file_name,text", "a.wav,one", "b.wav,two")
    assert list(plain.columns) == ["", ""]

    def never(*arguments, **named):
        raise AssertionError("a recording was read again")

    monkeypatch.setattr("mynah.data.audio.files.inspect", never)
    labelled = prepared("file_name,text,gender", "a.wav,one,f", "b.wav,two,m")
    assert labelled.fingerprint == plain.fingerprint
    assert [json.loads(one) for one in labelled.columns] == [{"gender": "f"}, {"gender": "m"}]
    assert list(labelled.select([1]).columns) == ['{"gender": "m"}']
    renamed = prepared("file_name,text,gender", "a.wav,one,x", "b.wav,two,m")
    assert json.loads(renamed.columns[0]) == {"gender": "x"}
    assert len([one for one in (tmp_path / "cache").glob("folder-*") if one.is_dir()]) == 1
