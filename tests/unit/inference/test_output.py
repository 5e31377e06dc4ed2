"""Where transcripts go: what cannot be written is said before anything is decoded."""

from __future__ import annotations

import json
import os

import pytest

from mynah.errors import UserError
from mynah.inference.formats import TRANSCRIPT_FORMATS
from mynah.inference.output import JOURNAL, File, Folder, Screen
from mynah.inference.sources import RecordingSource
from mynah.inference.transcription import Segment, Transcription

TXT = TRANSCRIPT_FORMATS["txt"]
HELLO = Transcription("hello", (Segment(0.0, 1.0, "hello"),), 1.0)


def source(tmp_path, name="talk"):
    path = tmp_path / f"{name}.wav"
    path.write_bytes(b"sound")
    return RecordingSource(name, path)


def test_the_folder_of_a_file_is_made(tmp_path):
    place = tmp_path / "new" / "folder" / "talk.txt"
    File(place, TXT, overwrite=False).add(source(tmp_path), HELLO)
    assert place.read_text() == "hello\n"


def test_a_folder_that_cannot_be_made_or_written_to_is_said_at_once(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be made"):
        File(tmp_path / "file" / "talk.txt", TXT, overwrite=False)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # whoever is root may write
    with pytest.raises(UserError, match="cannot be written to"):
        File(tmp_path / "talk.txt", TXT, overwrite=False)


def test_a_name_that_is_not_utf_8_is_transcribed_like_any_other(tmp_path, capsys):
    name = os.fsdecode(b"caf\xe9")
    recording = source(tmp_path, name)
    for _ in range(2):
        folder = Folder(tmp_path / "texts", [TXT], {}, overwrite=False)
        folder.check([recording])
        if not folder.is_done(recording):
            folder.add(recording, HELLO)
    assert folder.is_done(recording)
    assert (tmp_path / "texts" / f"{name}.txt").read_text() == "hello\n"
    for one in (TXT, TRANSCRIPT_FORMATS["json"]):
        Screen(one, several=True).add(recording, HELLO)
    line, as_json = capsys.readouterr().out.splitlines()
    assert line.endswith("caf\\udce9.wav\thello")
    assert json.loads(as_json)["text"] == "hello"


def test_a_folder_begun_by_a_version_that_noted_no_suffixes_is_continued(tmp_path):
    """Its transcripts are its own in every format, and those of other names are not."""
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / JOURNAL).write_text('{"name": "talk", "key": "of then"}\n', encoding="utf-8")
    for name in ("talk.txt", "talk.srt", "call.txt"):
        (texts / name).write_text("of then\n")
    formats = [TXT, TRANSCRIPT_FORMATS["srt"]]
    talk = source(tmp_path)
    folder = Folder(texts, formats, {}, overwrite=False)
    folder.check([talk])
    assert not folder.is_done(talk)
    folder.add(talk, HELLO)
    assert (texts / "talk.txt").read_text() == "hello\n"
    again = Folder(texts, formats, {}, overwrite=False)
    again.check([talk])
    assert again.is_done(talk)
    with pytest.raises(UserError, match="would be overwritten"):
        again.check([source(tmp_path, "call")])


def test_the_transcript_of_another_folder_s_recording_stays(tmp_path):
    texts = tmp_path / "texts"
    srt = TRANSCRIPT_FORMATS["srt"]

    def transcribed(day, format, *, ending=".wav", overwrite=False):
        path = tmp_path / day / f"call{ending}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(day.encode())
        folder = Folder(texts, [format], {}, overwrite=overwrite)
        call = RecordingSource("call", path)
        folder.check([call])
        folder.add(call, Transcription(day, (Segment(0.0, 1.0, day),), 1.0))

    transcribed("monday", TXT)
    for format in (TXT, srt):
        with pytest.raises(UserError, match=r"another recording, .*monday"):
            transcribed("tuesday", TXT)
        assert (texts / "call.txt").read_text() == "monday\n"
        transcribed("monday", format, ending=".flac")  # the same in another format of sound
    (tmp_path / "link").symlink_to(tmp_path / "monday")
    transcribed("link", TXT)
    transcribed("monday", srt)
    transcribed("tuesday", srt, overwrite=True)
    with pytest.raises(UserError, match="would be overwritten"):
        transcribed("tuesday", TXT)
    assert (texts / "call.txt").read_text() == "link\n"
