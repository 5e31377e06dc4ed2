"""Long recordings of a language of tones, from files to a corpus that training reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tone_speech import RATE, record

from mynah.cli import main
from mynah.config.schema import DataConfig
from mynah.data.preparation.prepare import prepare
from mynah.errors import UserError
from mynah.segmentation import utterance as reasons
from mynah.segmentation.aligning.aligned_text import Rules
from mynah.segmentation.aligning.posteriors import PosteriorWindows
from mynah.segmentation.cutting import Lengths
from mynah.segmentation.segment import SegmentationRequest, segment

LINES = [
    "Alpha bravo, charlie.",
    "Delta echo foxtrot?",
    "Golf hotel -- india juliet!",
    "Kilo lima mike.",
]
PARTS = [0.5, LINES[0], 0.9, LINES[1], 0.7, LINES[2], 1.1, LINES[3], 0.6]


def cut(source: Path, to: Path, **settings):
    """The utterances of a single recording."""
    request = SegmentationRequest(source, to, **{"model": "tones", **settings})
    ((_, utterances),) = segment(request, Path.cwd())
    return utterances


def kept(utterances):
    return [one for one in utterances if not one.rejected]


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def call(tmp_path):
    """A recording of four sentences with its transcript, and when each is said."""
    spans = record(tmp_path / "call.wav", *PARTS)
    (tmp_path / "call.txt").write_text(" ".join(LINES), encoding="utf-8")
    return tmp_path / "call.wav", spans


def test_sentences_are_cut_at_their_pauses_and_kept_as_they_were_written(call, tones, tmp_path):
    recording, spans = call
    found = cut(recording, tmp_path / "to")
    assert [one.text for one in found] == LINES
    assert not any(one.rejected for one in found)
    for one, (start, end) in zip(found, spans, strict=True):
        assert one.start_seconds == pytest.approx(start, abs=0.2)
        assert one.start_seconds < start
        assert one.end_seconds == pytest.approx(end, abs=0.2)
        assert one.end_seconds > end - 0.05
        assert one.score > -0.1


def test_the_cuts_do_not_depend_on_the_windows_that_the_model_encodes(call, tones, tmp_path):
    recording, _ = call
    full = cut(recording, tmp_path / "a", windows=PosteriorWindows(seconds=100))
    assert tones.family.longest_encoded > 8
    pieces = cut(
        recording, tmp_path / "b", windows=PosteriorWindows(seconds=1.0, context_seconds=0.4)
    )
    assert tones.family.longest_encoded < 2.5
    assert [(one.text, one.rejected) for one in pieces] == [
        (one.text, one.rejected) for one in full
    ]
    for one, other in zip(full, pieces, strict=True):
        assert one.start_seconds == pytest.approx(other.start_seconds, abs=0.045)
        assert one.end_seconds == pytest.approx(other.end_seconds, abs=0.045)


def test_the_listing_is_a_corpus_that_training_reads(call, tones, tmp_path):
    recording, _ = call
    found = cut(recording, tmp_path / "to", language="en")
    config = DataConfig(
        dataset_name=str(tmp_path / "to"),
        dataset_cache_dir=str(tmp_path / "cache"),
        num_proc=1,
        eval_splits=[],
    )
    corpus = prepare(config, offline=True, working_directory=tmp_path).train
    assert list(corpus.texts) == LINES
    assert list(corpus.languages) == ["en"] * 4
    full, _ = soundfile.read(recording, dtype="float32")
    for row, one in enumerate(found):
        start = round(one.start_seconds, 3)
        expected = full[round(start * RATE) : round((start + one.duration_seconds) * RATE)]
        np.testing.assert_array_equal(corpus.read_audio(row), expected)


def test_a_part_of_a_single_recording_can_be_held_out(call, tones, tmp_path):
    cut(call[0], tmp_path / "to")
    config = DataConfig(
        dataset_name=str(tmp_path / "to"),
        dataset_cache_dir=str(tmp_path / "cache"),
        num_proc=1,
        eval_splits=None,
    )
    data = prepare(config, offline=True, working_directory=tmp_path)
    (held_out,) = data.evaluation.values()
    assert len(held_out) == 1
    assert len(data.train) == 3


def test_utterances_are_written_as_files_where_asked_for(call, tones, tmp_path):
    recording, _ = call
    found = cut(recording, tmp_path / "to", write_audio=True)
    rows = lines(tmp_path / "to" / "manifest.jsonl")
    assert [row["audio_filepath"] for row in rows] == [
        f"audio/call-{number:04d}.flac" for number in (1, 2, 3, 4)
    ]
    for row, one in zip(rows, found, strict=True):
        assert "offset" not in row
        info = soundfile.info(tmp_path / "to" / row["audio_filepath"])
        assert info.duration == pytest.approx(one.duration_seconds, abs=1e-3)


def test_speech_that_the_transcript_does_not_have_is_left_out(tmp_path, tones):
    spans = record(
        tmp_path / "call.wav",
        "someone coughs loudly", 0.8, LINES[0], 0.8, "not in the text", 0.8, LINES[1], 0.9, "bye",
    )  # fmt: skip
    (tmp_path / "call.txt").write_text(" ".join(LINES[:2]), encoding="utf-8")
    found = cut(tmp_path / "call.wav", tmp_path / "to")
    assert [(one.text, one.rejected) for one in found] == [(LINES[0], ""), (LINES[1], "")]
    for one, (start, end) in zip(found, (spans[1], spans[3]), strict=True):
        assert one.start_seconds == pytest.approx(start, abs=0.2)
        assert one.end_seconds == pytest.approx(end, abs=0.2)


@pytest.mark.parametrize("said", [["quiz vex jumbo"], []])
def test_text_that_was_not_spoken_is_rejected_and_its_neighbours_are_kept(tmp_path, tones, said):
    spoken = [part for one in said for part in (one, 0.9)]
    record(tmp_path / "call.wav", LINES[0], 0.9, *spoken, LINES[1], 0.5)
    text = f"{LINES[0]} This was never ever spoken here. {LINES[1]}"
    (tmp_path / "call.txt").write_text(text, encoding="utf-8")
    found = cut(tmp_path / "call.wav", tmp_path / "to")
    assert [one.text for one in kept(found)] == [LINES[0], LINES[1]]
    (rejected,) = [one for one in found if one.rejected]
    assert rejected.text == "This was never ever spoken here."
    assert rejected.rejected == reasons.NOT_IN_AUDIO
    (line,) = lines(tmp_path / "to" / "rejected.jsonl")
    assert line["reason"] == reasons.NOT_IN_AUDIO
    assert line["text"] == rejected.text
    assert line["id"] == "call-0002"


def test_a_word_too_short_to_be_sure_of_takes_its_neighbours_with_it(tmp_path, tones):
    # "ox" may have been said so badly that its audio lies in either sentence.
    record(tmp_path / "call.wav", LINES[0], 0.9, LINES[1], 1.5, LINES[2], 0.5)
    text = f"{LINES[0]} Ox. {LINES[1]} {LINES[2]}"
    (tmp_path / "call.txt").write_text(text, encoding="utf-8")
    found = cut(tmp_path / "call.wav", tmp_path / "to")
    assert [one.text for one in kept(found)] == [LINES[2]]
    assert found[0].rejected == reasons.NOT_IN_AUDIO
    assert found[0].detail == "Ox."


def test_a_word_that_the_model_cannot_write_is_named(tmp_path, tones):
    record(tmp_path / "call.wav", LINES[0], 0.9, "in nineteen", 0.9, LINES[1], 0.5)
    text = f"{LINES[0]} In 1984. {LINES[1]}"
    (tmp_path / "call.txt").write_text(text, encoding="utf-8")
    found = cut(tmp_path / "call.wav", tmp_path / "to")
    assert [one.text for one in kept(found)] == [LINES[0], LINES[1]]
    (rejected,) = [one for one in found if one.rejected]
    assert rejected.rejected == reasons.UNSPELLABLE
    assert "1984." in rejected.detail


def test_an_utterance_without_a_pause_is_too_long(call, tones, tmp_path):
    recording, _ = call
    found = cut(recording, tmp_path / "to", rules=Rules(lengths=Lengths(0.5, 2.6)))
    assert {one.rejected for one in found} == {"", reasons.TOO_LONG}
    (long,) = [one for one in found if one.rejected]
    assert long.text == LINES[2]


def test_what_was_done_is_not_done_again_until_something_changes(call, tones, tmp_path):
    recording, _ = call
    first = cut(recording, tmp_path / "to")
    manifest = (tmp_path / "to" / "manifest.jsonl").read_text()
    (tmp_path / "to" / "manifest.jsonl").unlink()
    assert cut(recording, tmp_path / "to") == first
    assert tones.loaded == 1
    assert (tmp_path / "to" / "manifest.jsonl").read_text() == manifest
    (tmp_path / "call.txt").write_text(" ".join(LINES[:3]), encoding="utf-8")
    assert len(cut(recording, tmp_path / "to")) == 3
    assert tones.loaded == 2
    cut(recording, tmp_path / "to", rules=Rules(least_score=-1.0))
    assert tones.loaded == 3


def test_an_interrupted_command_continues_with_the_recordings_that_are_left(tmp_path, tones):
    source = tmp_path / "calls"
    source.mkdir()
    for name, line in zip("abc", LINES, strict=False):
        record(source / f"{name}.wav", 0.5, line, 0.5)
        (source / f"{name}.txt").write_text(line)
    request = SegmentationRequest(source, tmp_path / "to", "tones")
    original = type(tones.family).log_posteriors
    audio = []

    def interrupted(self, audios):
        audio.append(1)
        if len(audio) == 2:
            raise KeyboardInterrupt
        return original(self, audios)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(tones.family), "log_posteriors", interrupted)
        with pytest.raises(KeyboardInterrupt):
            segment(request, tmp_path)
        assert [row["text"] for row in lines(tmp_path / "to" / "manifest.jsonl")] == LINES[:1]
        segment(request, tmp_path)
    assert len(audio) == 4
    assert [row["text"] for row in lines(tmp_path / "to" / "manifest.jsonl")] == LINES[:3]


def test_a_recording_that_cannot_be_read_is_listed_and_the_others_continue(tmp_path, tones):
    source = tmp_path / "calls"
    source.mkdir()
    (source / "a.wav").write_bytes(b"RIFF but nothing else")
    (source / "a.txt").write_text("hello")
    record(source / "b.wav", 0.5, LINES[0], 0.5)
    (source / "b.txt").write_text(LINES[0])
    segment(SegmentationRequest(source, tmp_path / "to", "tones"), tmp_path)
    assert [row["text"] for row in lines(tmp_path / "to" / "manifest.jsonl")] == [LINES[0]]
    (rejected,) = lines(tmp_path / "to" / "rejected.jsonl")
    assert rejected["reason"] == reasons.UNREADABLE
    assert rejected["file"].endswith("a.wav")


def test_a_folder_that_holds_something_else_is_left_alone(call, tones, tmp_path):
    recording, _ = call
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="holds something else"):
        cut(recording, tmp_path / "to")
    record(tmp_path / "other.wav", LINES[0])
    (tmp_path / "other.txt").write_text(LINES[0])
    cut(recording, tmp_path / "again")
    with pytest.raises(UserError, match=r"utterances of .*call\.wav"):
        cut(tmp_path / "other.wav", tmp_path / "again")


def test_mistakes_are_found_before_the_model_is_loaded(tmp_path, tones):
    record(tmp_path / "call.wav", LINES[0])
    with pytest.raises(UserError, match="1 of 1 recordings have no transcript"):
        cut(tmp_path / "call.wav", tmp_path / "to")
    (tmp_path / "call.txt").write_text(" \n... [music]\n")
    with pytest.raises(UserError, match="transcript is empty"):
        cut(tmp_path / "call.wav", tmp_path / "to")
    (tmp_path / "call.txt").write_text(LINES[0])
    with pytest.raises(UserError, match="needs a model") as caught:
        cut(tmp_path / "call.wav", tmp_path / "to", model=None)
    assert "--model" in caught.value.fix
    with pytest.raises(UserError, match="no file or folder"):
        cut(tmp_path / "cal.wav", tmp_path / "to")
    with pytest.raises(UserError, match="There is no transcript"):
        cut(tmp_path / "call.wav", tmp_path / "to", text=tmp_path / "no.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no recordings in this folder"):
        cut(tmp_path / "empty", tmp_path / "to")
    assert tones.loaded == 0
    assert not (tmp_path / "to").exists()


def test_recordings_without_a_transcript_are_passed_over_where_asked_and_listed(tmp_path, tones):
    source = tmp_path / "calls"
    source.mkdir()
    record(source / "a.wav", LINES[0])
    record(source / "b.wav", 0.4, LINES[0], 0.5)
    (source / "b.txt").write_text(LINES[0])
    with pytest.raises(UserError, match=r"1 of 2 recordings have no transcript: a\.wav") as caught:
        segment(SegmentationRequest(source, tmp_path / "to", "tones"), tmp_path)
    assert "--skip-missing" in caught.value.fix
    segment(SegmentationRequest(source, tmp_path / "to", "tones", skip_missing=True), tmp_path)
    (rejected,) = lines(tmp_path / "to" / "rejected.jsonl")
    assert rejected["reason"] == reasons.NO_TRANSCRIPT


def test_times_in_a_transcript_need_no_model_and_with_one_are_scored(call, tones, tmp_path):
    recording, spans = call
    rows = [
        f"call 1 anna {start:.2f} {end:.2f} <o> {line.lower()}"
        for (start, end), line in zip(spans, LINES, strict=True)
    ]
    rows[2] = rows[2].replace("golf", "wrong words")
    (tmp_path / "call.stm").write_text("\n".join(rows))
    found = cut(recording, tmp_path / "a", model=None)
    assert [round(one.start_seconds, 2) for one in found] == [round(s, 2) for s, _ in spans]
    assert all(one.score is None and not one.rejected for one in found)
    assert {one.speaker for one in found} == {"anna"}
    assert tones.loaded == 0
    scored = cut(recording, tmp_path / "b")
    assert [one.rejected for one in scored] == ["", "", reasons.NOT_IN_AUDIO, ""]
    assert scored[0].score > -0.1
    assert scored[0].speaker == "anna"


def test_annotations_of_a_text_grid_are_left_out_and_their_number_is_said(call, tmp_path, capsys):
    recording, spans = call
    (start, end), (_, other) = spans[0], spans[1]
    said = f'{start} {end} "[cough] alpha <noise> bravo"\n{end} {other} "[laughter]"\n'
    tier = f'"IntervalTier"\n"all"\n0\n{other}\n2\n{said}'
    head = 'File type = "ooTextFile"\nObject class = "TextGrid"\n'
    (tmp_path / "call.TextGrid").write_text(f"{head}0\n{other}\n<exists>\n1\n{tier}")
    (tmp_path / "call.txt").unlink()
    found = cut(recording, tmp_path / "to", model=None)
    assert [one.text for one in found] == ["alpha bravo"]
    assert "3 annotations in brackets" in " ".join(capsys.readouterr().out.split())


def test_a_segment_that_is_too_long_is_cut_by_a_model(call, tones, tmp_path):
    recording, spans = call
    text = " ".join(LINES)
    (tmp_path / "call.stm").write_text(f"call 1 anna 0.0 {spans[-1][1] + 0.3:.2f} <o> {text}")
    rules = Rules(lengths=Lengths(1.0, 5.0))
    (full,) = cut(recording, tmp_path / "a", model=None, rules=rules)
    assert full.rejected == reasons.TOO_LONG
    assert [one.text for one in cut(recording, tmp_path / "b", rules=rules)] == LINES


def test_the_command_says_what_it_made_and_how_to_continue(
    call, tones, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    arguments = ["data", "segment", "call.wav", "--model", "tones", "--to", "to"]
    assert main.main(arguments) == 0
    said = capsys.readouterr().out
    assert "kept" in said
    assert "mynah train data.dataset_name=to" in said
    assert main.main(arguments) == 0
    assert "1 of 1 recordings are done already" in capsys.readouterr().out


def test_the_command_answers_a_mistake_in_a_few_lines(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main.main(["data", "segment", "nothing.wav", "--to", "to"]) == 2
    assert "There is no file or folder" in capsys.readouterr().err
    wrong = ["data", "segment", ".", "--to", "to", "--min-seconds", "30"]
    assert main.main(wrong) == 2
    assert "--max-seconds 20" in capsys.readouterr().err


def test_scores_below_the_limit_are_counted_for_lower_limits(
    call, tones, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    arguments = ["data", "segment", "call.wav", "--model", "tones", "--to", "to"]
    assert main.main([*arguments, "--min-score", "-0.00001"]) in (0, 2)
    said = " ".join(capsys.readouterr().out.split())
    low = [one["score"] for one in lines(tmp_path / "to" / "rejected.jsonl")]
    assert low and f"Of the {len(low)} with a low score: --min-score -0.1 keeps {len(low)}" in said


def test_a_command_that_keeps_nothing_fails_and_says_why(tones, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record(tmp_path / "call.wav", 0.5, "kilo lima", 0.5)
    (tmp_path / "call.txt").write_text("papa quebec romeo sierra tango.")
    assert main.main(["data", "segment", "call.wav", "--model", "tones", "--to", "to"]) == 2
    said = capsys.readouterr().err
    assert "No utterance was kept: 1 words not in the audio." in said
    assert "to/rejected.jsonl" in said
    assert len(lines(tmp_path / "to" / "rejected.jsonl")) == 1
