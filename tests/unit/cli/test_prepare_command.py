"""``mynah data prepare``: what is said of listings and folders that people write."""

import json

import pytest
from data_helpers import write_tone

from mynah.cli import main

ROWS = ("0.wav,eins zwei", "1.wav,drei", "2.wav,vier", "3.wav,fünf")
TEXTS = ["eins zwei", "drei", "vier", "fünf"]


@pytest.fixture
def recordings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(4):
        write_tone(tmp_path / "mine" / f"{number}.wav", 0.6 + 0.1 * number)
    return tmp_path / "mine"


def prepare(*arguments, evaluation="[auto]"):
    settings = [f"data.eval_splits={evaluation}", "data.num_proc=1", "data.dataset_cache_dir=cache"]
    return main.main(["data", "prepare", "mine", *settings, "--to", "account", *arguments])


def kept(tmp_path):
    account = json.loads((tmp_path / "account" / "data.json").read_text())
    return {name: split["kept"] for name, split in account["splits"].items()}


def words(tmp_path):
    account = json.loads((tmp_path / "account" / "data.json").read_text())
    return {name: split["words"] for name, split in account["splits"].items()}


def test_data_without_an_evaluation_is_prepared_without_a_word_on_training(
    recordings, tmp_path, capsys
):
    (recordings / "metadata.csv").write_text("\n".join(["file_name,text", *ROWS]))
    assert prepare(evaluation="[]") == 0
    assert "training." not in capsys.readouterr().out
    assert kept(tmp_path) == {"train": 4} and words(tmp_path) == {"train": 5}


@pytest.mark.parametrize("name", ["metadata.csv", "METADATA.CSV", "metadata.Tsv"])
def test_a_listing_whose_lines_end_in_a_carriage_return_is_read(recordings, tmp_path, name):
    sign = "\t" if name.endswith("Tsv") else ","
    lines = [line.replace(",", sign) for line in ("file_name,text", *ROWS)]
    (recordings / name).write_bytes("\r".join(lines).encode())
    assert prepare(evaluation="[]") == 0
    assert kept(tmp_path) == {"train": 4} and words(tmp_path) == {"train": 5}


def test_lines_that_end_in_several_ways_are_answered_with_a_command(recordings, capsys):
    text = "file_name,text\n" + "\r".join(ROWS) + "\n"
    (recordings / "metadata.csv").write_bytes(text.encode())
    assert prepare() == 2
    assert r"tr '\r' '\n' < metadata.csv" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("python", "iconv"), [("utf-16-le", "utf-16le"), ("utf-16-be", "utf-16be")]
)
def test_utf_16_without_a_byte_order_mark_is_named(recordings, python, iconv, capsys):
    text = "\n".join(["file_name,text", *ROWS])
    (recordings / "metadata.csv").write_bytes(text.encode(python))
    assert prepare() == 2
    said = capsys.readouterr().err
    assert "not encoded in UTF-8" in said and f"iconv -f {iconv} -t utf-8" in said


def test_a_text_file_in_utf_16_is_not_learned_as_letters_with_zeros_between(recordings, tmp_path):
    for number, text in enumerate(TEXTS):
        coding = "utf-16-le" if number == 1 else "utf-8"
        (recordings / f"{number}.txt").write_bytes(text.encode(coding))
    assert prepare(evaluation="[]") == 0
    account = json.loads((tmp_path / "account" / "data.json").read_text())["splits"]["train"]
    assert account["dropped"] == {"transcript is not text": 1}
    (left_out,) = account["dropped_rows"]
    assert left_out["id"] == "1.wav" and "iconv -f utf-16 -t utf-8" in left_out["detail"]


def test_the_ending_of_a_text_file_may_be_in_capitals(recordings, tmp_path):
    for number, text in enumerate(TEXTS):
        (recordings / f"{number}.TXT").write_text(text)
    assert prepare(evaluation="[]") == 0
    assert kept(tmp_path) == {"train": 4} and words(tmp_path) == {"train": 5}


def test_a_header_that_is_there_twice_is_refused_where_it_is_read(recordings, tmp_path, capsys):
    lines = [f"{line},other,x" for line in ROWS]
    (recordings / "metadata.csv").write_text("\n".join(["file_name,text,Text,note", *lines]))
    assert prepare() == 2
    said = capsys.readouterr().err
    assert "Two columns of the listing are called 'text'" in said and "line 1" in said
    lines = [f"{line},a,b" for line in ROWS]
    (recordings / "metadata.csv").write_text("\n".join(["file_name,text,note,note", *lines]))
    assert prepare(evaluation="[]") == 0  # a note is not read


def test_recordings_with_subtitles_lead_to_the_command_that_cuts_them(recordings, capsys):
    for number in range(4):
        (recordings / f"{number}.srt").write_text("1\n00:00:00,000 --> 00:00:00,500\nhi\n")
    assert prepare() == 2
    said = capsys.readouterr().err
    assert "transcripts with times, as 0.srt" in said
    assert "mynah data segment" in said and "mine --to utterances" in said


def test_long_recordings_lead_to_the_command_that_cuts_them(recordings, capsys):
    (recordings / "metadata.csv").write_text("\n".join(["file_name,text", *ROWS]))
    assert prepare("data.max_audio_seconds=0.5", evaluation="[]") == 2
    assert "`mynah data segment` cuts long recordings" in capsys.readouterr().err
    assert prepare("data.max_audio_seconds=0.75", evaluation="[]") == 0
    assert "`mynah data segment` cuts long recordings" in capsys.readouterr().out
