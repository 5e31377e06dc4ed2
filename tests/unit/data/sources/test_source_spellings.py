"""Listings and transcripts as old and foreign systems write them: read rightly, or named."""

import pytest
from data_helpers import settings, write_tone

from mynah.data.preparation.prepare import prepare
from mynah.errors import UserError

ROWS = [("a.wav", "one two"), ("b.wav", "three")]


def prepared(tmp_path, files):
    """The rows of a folder of two recordings and some files beside them."""
    for number, (name, _) in enumerate(ROWS):
        write_tone(tmp_path / "mine" / name, 0.5, hertz=200 + 50 * number)
    for name, content in files.items():
        (tmp_path / "mine" / name).write_bytes(content)
    config = settings(tmp_path, dataset_name="mine", eval_splits=[])
    return prepare(config, working_directory=tmp_path, offline=True).train


CSV = "file_name,text\na.wav,one two\nb.wav,three\n"
JSON = (
    '{"audio_filepath": "a.wav", "duration": 0.5, "text": "one two"}\n'
    '{"audio_filepath": "b.wav", "duration": 0.5, "text": "three"}\n'
)


@pytest.mark.parametrize(
    "files",
    [
        {"metadata.csv": CSV.replace("\n", "\r").encode()},
        {"train.jsonl": JSON.replace("\n", "\r").encode()},
        {"a.TXT": b"one two", "b.Txt": b"three"},
        {"a.txt": b"one\rtwo\r", "b.txt": b"three\r\n"},
    ],
    ids=["a CSV of bare CRs", "JSON Lines of bare CRs", "capital suffixes", "texts of bare CRs"],
)
def test_line_ends_and_suffixes_of_other_systems_are_read(tmp_path, files):
    corpus = prepared(tmp_path, files)
    assert list(zip(corpus.ids, corpus.texts, strict=True)) == ROWS


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_listing_in_utf_16_without_a_mark_names_what_it_is_converted_from(tmp_path, encoding):
    with pytest.raises(UserError, match="not encoded in UTF-8") as problem:
        prepared(tmp_path, {"metadata.csv": CSV.encode(encoding)})
    assert f"iconv -f {encoding.replace('utf-16-', 'utf-16')} -t utf-8" in problem.value.fix


def test_a_transcript_in_utf_16_without_a_mark_is_never_learned(tmp_path):
    corpus = prepared(tmp_path, {"a.txt": "one two".encode("utf-16-le"), "b.txt": b"three"})
    assert list(corpus.texts) == ["three"]


def test_a_folder_of_subtitles_names_what_cuts_recordings_by_them(tmp_path):
    cue = b"1\n00:00:00,000 --> 00:00:00,400\nhello\n"
    with pytest.raises(UserError, match="transcripts with times") as problem:
        prepared(tmp_path, {"a.srt": cue, "b.srt": cue})
    assert problem.value.fix.startswith(f"mynah data segment {tmp_path / 'mine'} --to utterances")
