"""What a request of ``mynah transcribe`` comes to: which words get times, what is done again."""

from __future__ import annotations

import json

import pytest
import soundfile
import torch
from tone_reader import RATE, ToneReader, speech

from mynah.checkpoints import find
from mynah.errors import UserError
from mynah.inference import parts
from mynah.inference.recognizer import Recognizer
from mynah.inference.sources import find_sources
from mynah.inference.transcribe import TranscriptionRequest, transcribe


@pytest.fixture(autouse=True)
def tones(monkeypatch, tmp_path):
    """Every model is one that reads tones; the working directory is empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(parts, "load", lambda *_, **__: Recognizer(ToneReader(9.0), name="tones"))


class Narrow(ToneReader):
    """Memory holds two seconds of a GPU's."""

    def transcribe(self, clips):
        if max(len(clip.audio) for clip in clips) > 2 * RATE:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.\nMore")
        return super().transcribe(clips)


def say_to(path, text="call anna now"):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, speech(0.5, text)[0], RATE)
    return str(path)


@pytest.mark.parametrize("ending", ["json", "ctm", "TextGrid"])
def test_words_have_times_where_the_ending_names_a_format_that_shows_them(tmp_path, ending):
    to = tmp_path / f"talk.{ending}"
    transcribe(TranscriptionRequest([say_to(tmp_path / "talk.wav")], to=to))
    content = to.read_text()
    if ending == "json":
        (segment,) = json.loads(content)["segments"]
        assert [one["word"] for one in segment["words"]] == ["call", "anna", "now"]
        assert segment["words"][0]["start"] == pytest.approx(0.5, abs=0.03)
    elif ending == "ctm":
        assert ";;" not in content and len(content.splitlines()) == 3
    else:
        assert '"words"' in content


@pytest.mark.parametrize("ending", ["vtt", "srt"])
def test_subtitles_named_by_their_ending_are_cut_to_what_can_be_read(tmp_path, ending):
    """Two sentences with a pause of 1.5 s between them are two subtitles of one segment."""
    soundfile.write(tmp_path / "talk.wav", speech("call anna", 1.5, "ten minutes")[0], RATE)
    to = tmp_path / f"talk.{ending}"
    transcribe(TranscriptionRequest([str(tmp_path / "talk.wav")], to=to))
    assert to.read_text().count("-->") == 2


@pytest.mark.parametrize("place", ["command", "checkpoint"])
def test_the_content_of_a_file_that_a_setting_names_decides_what_is_done(
    tmp_path, capsys, monkeypatch, place
):
    """A setting that was typed, or one that the checkpoint was made with."""
    say_to(tmp_path / "calls" / "a.wav")
    names = tmp_path / "names of it.txt"
    names.write_text("anna\n")
    settings = ["model.context_file='names of it.txt'"] if place == "command" else []
    checkpoint = tmp_path / "model"
    checkpoint.mkdir()
    kept = "model: {context_file: names of it.txt}" if place == "checkpoint" else "{}"
    (checkpoint / "config.yaml").write_text(kept)
    monkeypatch.setattr(find, "checkpoint_or_plain", lambda *_, **__: (checkpoint, "model"))
    request = TranscriptionRequest(["calls"], "model", to=tmp_path / "texts", settings=settings)

    def is_skipped():
        transcribe(request)
        return "1 of 1 recordings are done already" in capsys.readouterr().out

    assert [is_skipped(), is_skipped()] == [False, True]
    names.write_text("anne\n")
    assert [is_skipped(), is_skipped()] == [False, True]


@pytest.mark.parametrize("place", ["command", "checkpoint"])
def test_a_language_model_decides_what_is_done_only_where_it_is_typed(
    tmp_path, capsys, monkeypatch, place
):
    """A checkpoint has n-grams of its own: the file it names may change, or be gone."""
    say_to(tmp_path / "calls" / "a.wav")
    grams = tmp_path / "lm.arpa"
    grams.write_text("of then")
    typed = ["model=parakeet_ctc", "model.language_model=lm.arpa"]
    settings = typed if place == "command" else []
    checkpoint = tmp_path / "model"
    checkpoint.mkdir()
    (checkpoint / "config.yaml").write_text("model: {language_model: lm.arpa}")
    monkeypatch.setattr(find, "checkpoint_or_plain", lambda *_, **__: (checkpoint, "model"))
    request = TranscriptionRequest(["calls"], "model", to=tmp_path / "texts", settings=settings)

    def is_skipped():
        transcribe(request)
        return "1 of 1 recordings are done already" in capsys.readouterr().out

    assert [is_skipped(), is_skipped()] == [False, True]
    grams.write_text("of now")
    assert [is_skipped(), is_skipped()] == [place == "checkpoint", True]
    if place == "checkpoint":
        grams.unlink()
        assert is_skipped()


@pytest.mark.parametrize("to", ["calls", ".", "calls/../calls"])
def test_transcripts_may_lie_beside_their_recordings(tmp_path, to):
    say_to(tmp_path / "calls" / "a.wav")
    say_to(tmp_path / "calls" / "deep" / "b.wav")
    request = TranscriptionRequest(["calls"], to=tmp_path / to, formats=["srt"])
    for _ in range(2):
        assert transcribe(request) == 0
    assert {one.name for one in (tmp_path / to).rglob("*.srt")} == {"a.srt", "b.srt"}


def test_a_file_beside_a_recording_stays_though_another_format_was_written_there(tmp_path):
    say_to(tmp_path / "calls" / "a.wav")
    mine = tmp_path / "calls" / "a.srt"
    mine.write_text("mine")
    calls = tmp_path / "calls"
    assert transcribe(TranscriptionRequest(["calls"], to=calls, formats=["txt"])) == 0
    with pytest.raises(UserError, match="would be overwritten"):
        transcribe(TranscriptionRequest(["calls"], to=calls, formats=["srt"]))
    assert mine.read_text() == "mine"
    # What this command wrote is its own, whichever formats were written since.
    assert transcribe(TranscriptionRequest(["calls"], to=calls, formats=["vtt"])) == 0
    (calls / "a.wav").touch()
    assert transcribe(TranscriptionRequest(["calls"], to=calls, formats=["txt"])) == 0


def test_a_folder_below_the_recordings_is_left_out_and_said_where_nothing_else_is(tmp_path):
    say_to(tmp_path / "calls" / "a.wav")
    say_to(tmp_path / "calls" / "out" / "b.wav")
    out = tmp_path / "calls" / "out"
    assert [one.name for one in find_sources(["calls"], leave_out=out)] == ["a"]
    assert [one.name for one in find_sources(["calls/out"], leave_out=out)] == ["b"]
    (tmp_path / "calls" / "a.wav").unlink()
    with pytest.raises(UserError, match=r"All recordings .* lie in --to"):
        find_sources(["calls"], leave_out=out)


def test_what_alone_is_too_long_for_the_memory_is_named_with_what_to_set(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(parts, "load", lambda *_, **__: Recognizer(Narrow(9.0), name="tones"))
    say_to(tmp_path / "calls" / "a.wav", "call")
    say_to(tmp_path / "calls" / "b.wav", "call anna now please stop")
    assert transcribe(TranscriptionRequest(["calls"], to=tmp_path / "texts")) == 1
    captured = capsys.readouterr()
    assert "s of audio are too long for the memory: CUDA out of memory" in captured.err
    assert "--device cpu" in captured.out and (tmp_path / "texts" / "a.txt").read_text()
    with pytest.raises(
        UserError, match=r"^This cannot be transcribed: \d\.\d s of audio"
    ) as caught:
        transcribe(TranscriptionRequest(["calls/b.wav"]))
    assert "--device cpu" in caught.value.fix and "model.beam_size" in caught.value.fix
