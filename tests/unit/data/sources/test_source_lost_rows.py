"""Rows that could vanish, double or change sides without a word: quotation marks, cells that hold
nothing, second listings, names in other code points, segments that reach out of their recording."""

import csv
import io
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile
from data_helpers import field_case, settings, tone, write_tone
from source_helpers import opened, rows_of, write_json_lines, write_lines

from mynah.data.preparation.prepare import prepare
from mynah.errors import UserError


def folder(tmp_path, *lines, name="metadata.csv"):
    write_lines(tmp_path / "mine" / name, *lines)
    return tmp_path / "mine"


def texts(tmp_path, split="train"):
    return [row.text for row in rows_of(opened(tmp_path, "mine"), split)]


# --- quotation marks ------------------------------------------------------------------------


@pytest.mark.parametrize("end", ['2.wav,she said "bye"', '2.wav,late"', "2.wav,never closed"])
def test_a_stray_quotation_mark_is_an_error_at_the_line_that_opens_it(tmp_path, end):
    folder(tmp_path, "file_name,text", '0.wav,"he said hello', "1.wav,good morning", end, "3.wav,x")
    with pytest.raises(UserError, match=r"opened on line 2[\s\S]*metadata\.csv, line 2"):
        texts(tmp_path)


def test_a_quoted_transcript_of_several_lines_is_one_row(tmp_path):
    folder(tmp_path, "file_name,text", '0.wav,"one, two', 'and ""three"", four"', "1.wav,five")
    assert texts(tmp_path) == ['one, two and "three", four', "five"]


def test_a_quotation_mark_inside_of_a_field_is_a_letter(tmp_path):
    folder(tmp_path, "file_name,text", '0.wav,she said "bye"', '1.wav,"a" b', "2.wav,c")
    assert len(texts(tmp_path)) == 3 and texts(tmp_path)[0] == 'she said "bye"'


ROWS = [["0.wav", 'he said "hello" to me'], ["1.wav", "good morning"], ["2.wav", "two\nlines"],
        ["3.wav", "a\ttab"], ["4.wav", "end"]]  # fmt: skip


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_a_tsv_file_as_a_csv_writer_quotes_it_has_its_rows(tmp_path, quoting):
    held = io.StringIO()
    csv.writer(held, delimiter="\t", quoting=quoting, lineterminator="\n").writerows(
        [["file_name", "text"], *ROWS]
    )
    folder(tmp_path, held.getvalue().rstrip("\n"), name="metadata.tsv")
    assert texts(tmp_path) == [" ".join(text.split()) for _, text in ROWS]


@pytest.mark.parametrize("said", ['"Hello," he said', '"Hello"', '"a" and "b"', '"open'])
def test_a_quotation_mark_in_a_tsv_file_without_quoting_is_a_letter(tmp_path, said):
    folder(tmp_path, "file_name\ttext", f"0.wav\t{said}", "1.wav\tbye", name="metadata.tsv")
    assert texts(tmp_path) == [said, "bye"]


def test_common_voices_tsv_files_are_literal_whatever_is_in_them(tmp_path):
    write_lines(
        tmp_path / "cv" / "train.tsv", "client_id\tpath\tsentence", 'a\t0.mp3\t"so ""it"" is"'
    )
    (tmp_path / "cv" / "clips").mkdir()
    (row,) = rows_of(opened(tmp_path, "cv"))
    assert row.text == '"so ""it"" is"'


# --- cells that hold nothing ----------------------------------------------------------------


def test_nan_and_null_are_not_a_transcript_and_the_word_nan_is_one(tmp_path):
    lines = ['{"audio": "0.wav", "text": NaN}', '{"audio": "1.wav", "text": null}',
             '{"audio": "2.wav", "text": "hello", "speaker": NaN}']  # fmt: skip
    folder(tmp_path, *lines, name="metadata.jsonl")
    rows = rows_of(opened(tmp_path, "mine"))
    assert [(row.text, row.speaker) for row in rows] == [(None, ""), (None, ""), ("hello", "")]
    (tmp_path / "mine" / "metadata.jsonl").unlink()
    folder(tmp_path, "file_name,text", "0.wav,nan", "1.wav,NaN", "2.wav,x")
    assert texts(tmp_path) == ["nan", "NaN", "x"]


def test_true_is_an_error_with_its_line(tmp_path):
    lines = ['{"audio": "0.wav", "text": "x"}', '{"audio": "1.wav", "text": true}']
    folder(tmp_path, *lines, name="metadata.jsonl")
    with pytest.raises(UserError, match=r"not text but true or false[\s\S]*line 2"):
        texts(tmp_path)


# --- times ----------------------------------------------------------------------------------


@pytest.mark.parametrize("names", ["begin_time end_time", "start end", "start_sec end_sec"])
def test_pieces_are_cut_by_what_their_columns_are_called(tmp_path, names):
    begin, end = names.split()
    rows = [{"audio": "long.wav", begin: at, end: at + 1.5, "text": "x"} for at in (2.0, 5.5, 9.0)]
    write_json_lines(tmp_path / "mine" / "metadata.jsonl", *rows)
    found = rows_of(opened(tmp_path, "mine"))
    assert [row.offset_seconds for row in found] == [2.0, 5.5, 9.0]
    assert [row.duration_seconds for row in found] == [1.5, 1.5, 1.5]


def test_an_end_without_a_begin_names_the_columns(tmp_path):
    folder(tmp_path, "file_name,text,from,end", "a.wav,x,1,2")
    with pytest.raises(UserError, match=r"'end'.*file_name, text, from, end") as caught:
        texts(tmp_path)
    assert caught.value.fix.startswith("data.columns.offset_seconds=")
    row = rows_of(opened(tmp_path, "mine", columns={"offset_seconds": "from"}))[0]
    assert (row.offset_seconds, row.duration_seconds) == (1.0, 1.0)
    folder(tmp_path, "file_name,text,start,end", "a.wav,x,1,2", "b.wav,x,,2")
    with pytest.raises(UserError, match=r"an end and no begin[\s\S]*line 3"):
        texts(tmp_path)


# --- several listings -----------------------------------------------------------------------


def test_rows_of_a_test_listing_are_never_trained_on(tmp_path, capsys):
    folder(tmp_path, "file_name,text", "0.wav,a", "1.wav,b", "2.wav,c")
    folder(tmp_path, "file_name,text", "2.wav,c", name="test.csv")
    source = opened(tmp_path, "mine")
    assert [row.text for row in rows_of(source)] == ["a", "b"]
    assert [row.text for row in rows_of(source, "test")] == ["c"]
    assert "1 rows of metadata.csv are in the listings of other splits" in capsys.readouterr().out
    folder(tmp_path, "file_name,text", "0.wav,a", name="train.csv")
    source = opened(tmp_path, "mine")
    assert [row.text for row in rows_of(source)] == ["a"]
    assert "test.csv, train.csv are read; left out: metadata.csv" in capsys.readouterr().out


def test_a_listing_in_two_formats_is_read_once(tmp_path, capsys):
    folder(tmp_path, "file_name,text", "0.wav,a", name="train.csv")
    folder(tmp_path, '{"audio": "0.wav", "text": "a"}', name="train.jsonl")
    assert texts(tmp_path) == ["a"]
    assert "left out: train.jsonl" in capsys.readouterr().out


# --- names ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("listed", "there"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_name_in_other_code_points_is_found(tmp_path, listed, there):
    name = "Zürich/Größe é.wav"
    file = tmp_path / "mine" / unicodedata.normalize(there, name)
    write_tone(file)
    folder(tmp_path, "file_name,text", f"{unicodedata.normalize(listed, name)},x")
    (row,) = rows_of(opened(tmp_path, "mine"))
    assert Path(row.path).samefile(file)
    write_json_lines(
        tmp_path / "train_manifest.json",
        {"audio_filepath": unicodedata.normalize(listed, str(file)), "duration": 1, "text": "x"},
    )
    (row,) = rows_of(opened(tmp_path, "train_manifest.json"))
    assert Path(row.path).samefile(file)


@pytest.mark.parametrize("form", ["nemo", "folder"])
def test_a_manifest_that_was_moved_says_where_its_recordings_are(tmp_path, form):
    write_tone(tmp_path / "mine" / "wavs" / "ann" / "0.wav")
    key, name = {"nemo": ("audio_filepath", "train.json"), "folder": ("audio", "metadata.jsonl")}[
        form
    ]
    listed = {key: "/data/old/wavs/ann/0.wav", "duration": 1.0, "text": "x"}
    write_json_lines(tmp_path / "mine" / name, listed)
    with pytest.raises(UserError, match=r"wavs/ann/0\.wav lies in .*made elsewhere") as caught:
        rows_of(opened(tmp_path, "mine", format=form))
    folders = caught.value.fix.removeprefix("data.audio_folders=[").rstrip("]")
    (row,) = rows_of(opened(tmp_path, "mine", format=form, audio_folders=[folders]))
    assert row.path == str(tmp_path / "mine" / "wavs" / "ann" / "0.wav")


@pytest.mark.timeout(20)
def test_a_pipe_in_place_of_a_transcript_is_not_waited_for(tmp_path):
    for name in ("a", "b"):
        write_tone(tmp_path / "mine" / f"{name}.wav")
    os.mkfifo(tmp_path / "mine" / "a.txt")
    (tmp_path / "mine" / "b.txt").write_text("hello")
    assert texts(tmp_path) == [None, "hello"]


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("gb2312", "今天天气很好"),
        ("big5", "我想預訂明天的機票"),
        ("shift_jis", "ありがとうございます"),
        ("euc-kr", "안녕하세요 반갑습니다"),
        ("windows-1251", "привет как дела"),
        ("latin-1", "grüße"),
    ],
)
def test_a_listing_in_an_old_encoding_names_what_it_is_converted_from(tmp_path, encoding, said):
    (tmp_path / "mine").mkdir()
    file = tmp_path / "mine" / "metadata.csv"
    file.write_bytes(f"file_name,text\n0.wav,{said}\n".encode(encoding))
    with pytest.raises(UserError, match="not encoded in UTF-8") as caught:
        texts(tmp_path)
    named = caught.value.fix.split("iconv -f ")[1].split()[0]
    assert file.read_bytes().decode(named).endswith(f"{said}\n")


# --- other tools' manifests -----------------------------------------------------------------


def test_kaldis_segments_may_end_half_a_second_late(tmp_path):
    file = write_tone(tmp_path / "kaldi" / "call.wav", 10.0)
    write_lines(tmp_path / "kaldi" / "wav.scp", f"call {file}")
    write_lines(tmp_path / "kaldi" / "text", *(f"u{number} hello" for number in range(3)))
    write_lines(
        tmp_path / "kaldi" / "segments", "u0 call 2 4", "u1 call 8 10.45", "u2 call 8.5 10.6"
    )
    config = settings(tmp_path, dataset_name=str(tmp_path / "kaldi"), eval_splits=[])
    prepared = prepare(config, working_directory=tmp_path, offline=True)
    corpus = prepared.train
    assert [corpus[row].id for row in range(len(corpus))] == ["u0", "u1"]
    assert [round(seconds, 2) for seconds in corpus.durations] == [2.0, 2.0]
    assert len(corpus.read_audio(1)) == 32000
    dropped = prepared.report["splits"]["train"]["dropped_rows"]
    assert [row["id"] for row in dropped] == ["u2"]


@pytest.mark.parametrize("rest", ["sox a.wav -t wav - | head -c 1000", "a.wav | cat"])
def test_a_pipe_in_the_middle_of_a_line_is_a_command_too(tmp_path, rest):
    write_lines(tmp_path / "kaldi" / "wav.scp", f"a {rest}")
    write_lines(tmp_path / "kaldi" / "text", "a hello")
    with pytest.raises(UserError, match="runs no command"):
        rows_of(opened(tmp_path, "kaldi"))


def lhotse_cut(said, **recording):
    """A cut from 4 to 7 s of a recording of 11 s."""
    held = {
        "id": "r",
        "sources": [{"type": "file", "channels": [0], "source": "long.wav"}],
        "sampling_rate": 16000,
        "num_samples": 176000,
        "duration": 11.0,
        **recording,
    }
    supervisions = [
        {"id": f"s{number}", "recording_id": "r", "start": start, "duration": length, "text": "x"}
        for number, (start, length) in enumerate(said)
    ]
    cut = {"id": "c", "start": 4.0, "duration": 3.0, "channel": 0, "type": "MonoCut"}
    return {**cut, "recording": held, "supervisions": supervisions}


def test_what_reaches_out_of_a_cut_is_left_out_with_the_reason(tmp_path):
    write_tone(tmp_path / "l" / "long.wav", 11.0)
    said = [(0.5, 2.0), (-1.0, 2.0), (2.0, 4.0), (1.0, 2.005), (-0.05, 1.0)]
    write_json_lines(tmp_path / "l" / "cuts.jsonl", lhotse_cut(said))
    config = settings(tmp_path, dataset_name=str(tmp_path / "l"), eval_splits=[])
    prepared = prepare(config, working_directory=tmp_path, offline=True)
    corpus = prepared.train
    assert [corpus[row].id for row in range(len(corpus))] == ["s0", "s3", "s4"]
    assert np.allclose(corpus.durations, [2.0, 2.0, 0.95], atol=1e-3)
    dropped = prepared.report["splits"]["train"]["dropped_rows"]
    assert [(row["id"], row["detail"][:32]) for row in dropped] == [
        ("s1", "it reaches 1.00 s out of its cut"), ("s2", "it reaches 3.00 s out of its cut"),
    ]  # fmt: skip


def test_an_evaluation_leaves_it_out_and_does_not_count_it_as_not_recognized(tmp_path, capsys):
    write_tone(tmp_path / "l" / "long.wav", 11.0)
    for split in ("train", "dev"):
        cut = lhotse_cut([(0.5, 2.0), (2.0, 4.0)])
        write_json_lines(tmp_path / "l" / f"cuts_{split}.jsonl", cut)
    config = settings(tmp_path, dataset_name=str(tmp_path / "l"))
    prepared = prepare(config, working_directory=tmp_path, offline=True, train=False)
    assert prepared.evaluation["validation"].ids == ["s0"]
    account = prepared.report["splits"]["validation"]
    assert account["unreadable"] == 0 and account["dropped"] == {"words outside its audio": 1}
    assert [row["id"] for row in account["dropped_rows"]] == ["s1"]
    assert "Left out of validation: 1 words outside its audio" in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.mark.parametrize(("rate", "refused"), [(8000, True), (16000, False), (44100, False)])
def test_lhotses_resampling_is_refused_where_it_takes_from_the_band(tmp_path, rate, refused):
    # What lhotse writes: {"name", "kwargs"} of each transform (lhotse/augmentation/transform.py).
    rates = {"source_sampling_rate": 16000, "target_sampling_rate": rate}
    write_json_lines(
        tmp_path / "l" / "cuts.jsonl",
        lhotse_cut([(0, 1)], transforms=[{"name": "Resample", "kwargs": rates}]),
    )
    if refused:
        with pytest.raises(UserError, match="nothing above 4,000 Hz") as caught:
            rows_of(opened(tmp_path, "l"))
        assert "data.sample_rate=8000" in caught.value.fix
        rows_of(opened(tmp_path, "l", sample_rate=8000))
    else:
        assert len(rows_of(opened(tmp_path, "l"))) == 1


def test_the_keys_of_old_nemo_manifests_are_read(tmp_path):
    (tmp_path / "m" / "texts").mkdir(parents=True)
    (tmp_path / "m" / "texts" / "0.txt").write_text("from a file\n")
    rows = [
        {"audio_filename": "0.wav", "duration": 1.0, "text_filepath": "texts/0.txt"},
        {"audio_filename": "1.wav", "duration": 1.0, "normalized_text": "normalized"},
        {"audio_filename": "2.wav", "duration": 1, "text": "plain", "text_filepath": "texts/0.txt"},
    ]
    write_json_lines(tmp_path / "m" / "train_manifest.json", *rows)
    source = opened(tmp_path, "m")
    assert source.format == "nemo"
    assert [row.text for row in rows_of(source)] == ["from a file", "normalized", "plain"]


# --- the cases themselves -------------------------------------------------------------------


def test_the_cases_of_the_field_lose_no_row(tmp_path):
    cases = field_case("README.md").parent

    def found(name, split="train"):
        return rows_of(opened(tmp_path, cases / name), split)

    for name, line in (("csv_quote", 2), ("csv_quote_300", 12)):
        with pytest.raises(UserError, match=f"opened on line {line}"):
            found(name)
    assert [row.text for row in found("tsv_pandas")] == [
        'he said "hello" to me', "good morning", "two lines", "end",
    ]  # fmt: skip
    assert [row.offset_seconds for row in found("begin_time")] == [2.0, 5.5, 9.0]
    assert [row.text for row in found("jsonl_nan")] == [None, None, "hello"]
    assert [row.text for row in found("two_listings")] == ["a b", "c d"]
    assert all(Path(row.path).is_file() for row in found("file_name_nfd"))
    fine = {row.id for row in found("lhotse") if not row.fault}
    assert {"s2", "s3"}.isdisjoint(fine) and {"s1", "s4", "s6"} <= fine


def test_samples_of_a_listed_recording_are_those_of_its_file(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(1.0), 16000)
    folder(tmp_path, "file_name,text", "../a.wav,x")
    with pytest.raises(UserError, match="leads out of the corpus"):
        texts(tmp_path)
