"""Listings that people write: their encodings, their mistakes, and paths that lead elsewhere."""

import os
from pathlib import Path

import pytest
from data_helpers import settings, write_tone
from source_helpers import opened, rows_of, write_json_lines, write_lines

from mynah.data.preparation.prepare import prepare
from mynah.errors import UserError


def listing(tmp_path, content, name="metadata.csv"):
    (tmp_path / "mine").mkdir(exist_ok=True)
    (tmp_path / "mine" / name).write_bytes(
        content.encode() if isinstance(content, str) else content
    )
    return tmp_path / "mine"


# --- encodings ------------------------------------------------------------------------------


def test_a_byte_order_mark_and_windows_line_ends_are_not_part_of_the_text(tmp_path):
    listing(tmp_path, b"\xef\xbb\xbffile_name,text\r\na.wav,gr\xc3\xbc\xc3\x9fe\r\n")
    (row,) = rows_of(opened(tmp_path, "mine"))
    assert row.text == "grüße" and row.path.endswith("a.wav")


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl"])
def test_another_encoding_is_named_with_the_line_and_the_way_out(tmp_path, name):
    good = b"file_name,text\n" if name.endswith("csv") else b'{"audio": "b", "text": "x"}\n'
    bad = "a.wav,grüße\n" if name.endswith("csv") else '{"audio": "a", "text": "grüße"}\n'
    listing(tmp_path, good + bad.encode("latin-1"), name)
    with pytest.raises(
        UserError, match=r"not encoded in UTF-8[\s\S]*line 2[\s\S]*iconv -f latin-1"
    ):
        rows_of(opened(tmp_path, "mine"))
    listing(tmp_path, (good.decode() + bad).encode("utf-16"), name)
    with pytest.raises(UserError, match=r"iconv -f utf-16"):
        rows_of(opened(tmp_path, "mine"))


def test_a_gzipped_listing_that_is_cut_short_is_named(tmp_path):
    file = write_json_lines(
        tmp_path / "mine" / "manifest.json.gz",
        *({"audio_filepath": os.urandom(20).hex(), "text": "x"} for _ in range(999)),
    )
    file.write_bytes(file.read_bytes()[:-500])
    with pytest.raises(UserError, match=r"(?s)cannot be read after line .*Fetch it again"):
        rows_of(opened(tmp_path, file, format="nemo"))


# --- fields ---------------------------------------------------------------------------------


def test_a_quotation_mark_that_is_not_closed_is_reported(tmp_path):
    listing(tmp_path, 'file_name,text\na.wav,"hello\n' + "b.wav,there and back again\n" * 10_000)
    with pytest.raises(UserError, match=r"opened there[\s\S]*not closed"):
        rows_of(opened(tmp_path, "mine"))


def test_a_long_transcript_over_several_lines_is_one_transcript(tmp_path):
    listing(tmp_path, 'file_name,text\na.wav,"' + "word\n" * 10_000 + '"\n')
    (row,) = rows_of(opened(tmp_path, "mine"))
    assert len(row.text.split()) == 10_000 and "\n" not in row.text


def test_columns_that_only_later_lines_have_are_used(tmp_path):
    write_json_lines(
        tmp_path / "mine" / "metadata.jsonl",
        {"audio": "a.wav", "text": "x"},
        {"audio": "a.wav", "text": "y", "offset": 1.5, "duration": 0.5, "lang": "de"},
    )
    first, second = rows_of(opened(tmp_path, "mine"))
    assert (first.offset_seconds, first.duration_seconds) == (0.0, None)
    assert (second.offset_seconds, second.duration_seconds, second.language) == (1.5, 0.5, "de")


def test_ids_that_come_twice_are_kept_apart(tmp_path):
    write_tone(tmp_path / "mine" / "a.wav")
    write_tone(tmp_path / "mine" / "b.wav", 0.5)
    listing(tmp_path, "id,file_name,text\nx,a.wav,one\nx,b.wav,two\n")
    config = settings(tmp_path, dataset_name="mine", eval_splits=None, eval_fraction=0.0)
    train = prepare(config, working_directory=tmp_path).train
    assert list(train.ids) == ["x", "x#2"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"audio": "a.wav", "text": "x", "offset": "soon"}', "offset is not a number of seconds"),
        ('{"audio": "a.wav", "text": "x", "offset": NaN}', "not a number of seconds: nan"),
        ('{"audio": "a.wav", "text": "x", "start": 2, "end": 1}', "no later than it begins"),
        ('{"audio": "a.wav", "text": "x", "channel": "C"}', "'C' is not a channel"),
        ('{"audio": "a.wav", "text": "x", "no_speech": "perhaps"}', "neither true nor false"),
        ('{"audio": ["a.wav"], "text": "x"}', "not text but a list"),
        ('{"audio": "a\\u0000.wav", "text": "x"}', "names no audio file"),
        ('{"text": "x"}', "No audio file"),
        ("[" * 100_000, "nested too deep"),
        ("not json", "This is not JSON"),
        ("42", "An object of JSON is expected"),
    ],
)
def test_a_value_that_cannot_be_meant_is_named_with_its_line(tmp_path, line, message):
    write_lines(tmp_path / "mine" / "metadata.jsonl", '{"audio": "a.wav", "text": "x"}', line)
    with pytest.raises(UserError, match=message) as caught:
        rows_of(opened(tmp_path, "mine"))
    assert "metadata.jsonl, line 2" in str(caught.value)


# --- splits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl"])
def test_a_split_in_other_cases_and_with_spaces_is_one_split(tmp_path, name):
    cells = ["train", "Train", "train ", "TEST", " ", "test", "", "Calls", "CALLS"]
    rows = [{"audio": "a.wav", "text": str(n), "split": cell} for n, cell in enumerate(cells)]
    if name.endswith("csv"):
        write_lines(
            tmp_path / "mine" / name,
            "audio,text,split",
            *(",".join(row.values()) for row in rows),
        )
    else:
        write_json_lines(tmp_path / "mine" / name, *rows)
    source = opened(tmp_path, "mine")
    assert source.splits() == ["train", "TEST", "Calls"]
    for split, texts in (
        ("train", ["0", "1", "2", "4", "6"]), ("test", ["3", "5"]), ("calls", ["7", "8"]),
        ("CALLS", ["7", "8"]),
    ):  # fmt: skip
        assert [row.text for row in rows_of(source, split)] == texts


# --- no speech ------------------------------------------------------------------------------


def test_rows_without_speech_are_marked_by_a_column_or_by_their_transcript(tmp_path):
    write_tone(tmp_path / "mine" / "a.wav")
    lines = ["a.wav,hello,", "a.wav,,true", "a.wav,<Noise>,0", "a.wav,,no"]
    listing(tmp_path, "\n".join(["file_name,text,no_speech", *lines]))
    rows = rows_of(opened(tmp_path, "mine", no_speech_texts=["<noise>"]))
    assert [(row.text, row.no_speech) for row in rows] == [
        ("hello", False), ("", True), ("", True), (None, False),
    ]  # fmt: skip
    rows = rows_of(opened(tmp_path, "mine"))
    assert [(row.text, row.no_speech) for row in rows][2] == ("<Noise>", False)


# --- paths that lead elsewhere --------------------------------------------------------------


@pytest.mark.parametrize("kind", ["relative", "absolute", "link", "linked folder", "home"])
def test_a_listing_of_a_folder_leads_nowhere_else(tmp_path, kind, monkeypatch):
    secret = write_tone(tmp_path / "private" / "secret.wav")
    (tmp_path / "mine" / "wav").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    name = {
        "relative": "wav/../../private/secret.wav",
        "absolute": str(secret),
        "link": "wav/link.wav",
        "linked folder": "wav/linked/secret.wav",
        "home": "~/private/secret.wav",
    }[kind]
    (tmp_path / "mine" / "wav" / "link.wav").symlink_to(secret)
    (tmp_path / "mine" / "wav" / "linked").symlink_to(secret.parent)
    listing(tmp_path, f"file_name,text\n{name},hello\n")
    with pytest.raises(UserError, match="leads out of the corpus") as caught:
        rows_of(opened(tmp_path, "mine"))
    assert "metadata.csv, line 2" in str(caught.value)
    # What the message says to do works.
    assert f"data.audio_folders=[{secret.parent}]" in str(caught.value)
    (row,) = rows_of(opened(tmp_path, "mine", audio_folders=[str(secret.parent)]))
    assert Path(row.path).samefile(secret)


def test_a_path_that_climbs_but_stays_inside_is_followed(tmp_path):
    file = write_tone(tmp_path / "mine" / "wav" / "a.wav")
    (tmp_path / "mine" / "link.wav").symlink_to(file)
    listing(tmp_path, f"file_name,text\nwav/../wav/a.wav,x\n{file},y\nlink.wav,z\n")
    assert all(Path(row.path).samefile(file) for row in rows_of(opened(tmp_path, "mine")))


def test_a_snapshot_of_the_hubs_cache_links_to_its_own_blobs(tmp_path):
    repository = tmp_path / "datasets--me--mine"
    blob = write_tone(repository / "blobs" / "x.wav").rename(repository / "blobs" / "0d1e2f")
    folder = repository / "snapshots" / "abc"
    folder.mkdir(parents=True)
    (folder / "a.wav").symlink_to(blob)
    (folder / "metadata.csv").write_text("file_name,text\na.wav,x\n")
    (row,) = rows_of(opened(tmp_path, folder))
    assert Path(row.path).samefile(blob)


def test_recordings_are_looked_for_in_other_folders_too(tmp_path):
    file = write_tone(tmp_path / "sound" / "deep" / "a.wav")
    listing(tmp_path, "file_name,text\ndeep/a,x\ndeep\\a.wav,y\n")
    rows = rows_of(opened(tmp_path, "mine", audio_folders=["sound"]))
    assert [row.path for row in rows] == [str(file)] * 2


@pytest.mark.parametrize("name", ["https://x.org/a.wav", "s3://bucket/a.wav", "pipe://sox"])
def test_an_address_is_never_fetched(tmp_path, name):
    listing(tmp_path, f"file_name,text\n{name},hello\n")
    with pytest.raises(UserError, match="nothing is fetched"):
        rows_of(opened(tmp_path, "mine"))


def test_a_name_too_long_for_a_file_is_a_missing_file(tmp_path):
    write_tone(tmp_path / "mine" / "a.wav")
    listing(tmp_path, f"file_name,text\n{'x' * 5000}.wav,hello\na.wav,there\n")
    config = settings(tmp_path, dataset_name="mine", eval_splits=None, eval_fraction=0.0)
    account = prepare(config, working_directory=tmp_path).report["splits"]["train"]
    assert account["kept"] == 1 and account["dropped"] == {"unreadable": 1}


# --- listings that were joined, and empty ones ----------------------------------------------

JOINED = """file_name,text
a.wav,one
{}
b.wav,two
"""


@pytest.mark.parametrize("header", ["file_name,text", "file_name, text", "\ufefffile_name,text"])
def test_a_header_in_the_middle_is_left_out_and_said(tmp_path, header, capsys):
    listing(tmp_path, JOINED.format(header))
    assert [row.text for row in rows_of(opened(tmp_path, "mine"))] == ["one", "two"]
    said = capsys.readouterr()
    assert "line 3 repeats the header" in " ".join((said.out + said.err).split())


def test_a_header_with_other_columns_in_the_middle_is_refused(tmp_path):
    listing(tmp_path, JOINED.format("text,file_name"))
    with pytest.raises(UserError, match="another order") as problem:
        opened(tmp_path, "mine")
    assert "line 3" in problem.value.where


def test_a_row_that_says_a_name_of_a_column_is_a_row(tmp_path):
    listing(tmp_path, JOINED.format("c.wav,text"))
    assert [row.text for row in rows_of(opened(tmp_path, "mine"))] == ["one", "text", "two"]


@pytest.mark.parametrize("name", ["manifest.json", "metadata.csv", "train.jsonl"])
@pytest.mark.parametrize("given", ["file", "folder"])
def test_an_empty_listing_is_named(tmp_path, name, given):
    path = write_lines(tmp_path / "mine" / name, "")
    with pytest.raises(UserError, match="is empty") as problem:
        opened(tmp_path, path if given == "file" else "mine")
    assert problem.value.where == str(path)
