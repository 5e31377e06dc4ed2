"""Speakers that a transcript names, the channels of a call that they are on, and cues that are
written otherwise than they should be."""

import json

import numpy as np
import pytest
import soundfile
from data_helpers import tone
from tone_speech import RATE, say

from mynah.cli import main
from mynah.segmentation.segment import SegmentationRequest, segment
from mynah.segmentation.timed_transcripts import ctm, srt, stm, vtt
from mynah.segmentation.transcript import read_transcript

CALL = """1
00:00:01,000 --> 00:00:03,000
Agent: how may i
help

2
00:00:04,000 --> 00:00:06,000
Customer: my line is dead

3
00:00:07,000 --> 00:00:09,000
and: nothing helps

4
00:00:10,000 --> 00:00:12,000
- Agent: i see

5
00:00:12,200 --> 00:00:12,800
Customer: bye
"""


def said(transcript):
    return [(entry.text, entry.speaker) for entry in transcript.entries]


def test_labels_of_speakers_are_not_words_of_subtitles():
    assert said(srt.parse(CALL, "x")) == [
        ("how may i help", "Agent"), ("my line is dead", "Customer"),
        ("and: nothing helps", "Customer"), ("i see", "Agent"),
        ("bye", "Customer"),
    ]  # fmt: skip


def test_one_line_with_a_colon_is_words():
    text = "1\n00:00:01,000 --> 00:00:02,000\nNote: this is late\n"
    text += "\n2\n00:00:03,000 --> 00:00:04,000\nso i left\n"
    assert said(srt.parse(text, "x")) == [("Note: this is late", ""), ("so i left", "")]
    assert read_transcript("Note: this\nis late").words[0].text == "Note:"


def test_a_cue_of_two_speakers_has_none():
    text = "1\n00:00:01,000 --> 00:00:02,000\n- Ann: yes\n- Bob: no\n"
    assert said(srt.parse(text, "x")) == [("yes no", "")]


def test_labels_of_a_plain_transcript_are_not_words_and_name_who_speaks():
    read = read_transcript("Agent: how may i help?\nCustomer: it is: dead\nAgent: fine")
    assert [word.text for word in read.words] == [
        "how", "may", "i", "help?", "it", "is:", "dead", "fine",
    ]  # fmt: skip
    assert [read.speaker(0, 4), read.speaker(4, 7), read.speaker(2, 6)] == ["Agent", "Customer", ""]
    assert read.written(3, 6) == "help? it is:"


@pytest.mark.parametrize("arrow", ["->", "–>", "—>", "→", "-->"])
def test_a_cue_with_another_arrow_is_a_cue(arrow):
    text = f"1\n00:00:01,000 --> 00:00:02,000\none\n\n2\n00:00:03,000 {arrow} 00:00:04,500\ntwo\n"
    entries = srt.parse(text, "x").entries
    assert [(e.start_seconds, e.end_seconds, e.text) for e in entries] == [
        (1.0, 2.0, "one"), (3.0, 4.5, "two"),
    ]  # fmt: skip
    assert srt.parse("1\n00:00:01,000 --> 00:00:02,000\nx -> y\n", "x").entries[0].text == "x -> y"


def test_a_cue_of_vtt_without_an_empty_line_before_it_is_a_cue():
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\none\n00:02.000 --> 00:03.000\ntwo\n2\n"
    text += "00:03.000 --> 00:04.000\nthree\n"
    entries = vtt.parse(text, "x").entries
    assert [(e.start_seconds, e.text) for e in entries] == [
        (1.0, "one"),
        (2.0, "two"),
        (3.0, "three"),
    ]


def test_voices_of_vtt_are_who_speaks_and_two_in_one_cue_are_nobody():
    cues = [
        "<v Ann>how may i help</v>",
        "<v.loud.first Ann Lee>i said\nhow may i help",
        "<v Ben &amp; Co>my line is dead",
        "<v Ann>yes\n<v Ben>no",
        "<v Ann>so\n<v Ann>goodbye",
        "<i>nobody</i> says this",
    ]
    times = (f"00:0{number}.000 --> 00:0{number}.900" for number in range(len(cues)))
    text = "\n\n".join(["WEBVTT", *map("\n".join, zip(times, cues, strict=True))])
    assert said(vtt.parse(text, "x")) == [
        ("how may i help", "Ann"), ("i said how may i help", "Ann Lee"),
        ("my line is dead", "Ben & Co"), ("yes no", ""), ("so goodbye", "Ann"),
        ("nobody says this", ""),
    ]  # fmt: skip


def call(tmp_path, left, right):
    """A call of 13 s: who speaks at 1, 4, 7 and 10 s is Ann, Ben, Ben, Ann."""
    sound = np.zeros((13 * 16000, 2), np.float32)
    for at, (one, other) in zip((1, 4, 7, 10), (left, right, right, left), strict=True):
        sound[at * 16000 : (at + 2) * 16000, 0] = one * tone(2.0)
        sound[at * 16000 : (at + 2) * 16000, 1] = other * tone(2.0)
    soundfile.write(tmp_path / "call.wav", sound, 16000)
    (tmp_path / "call.srt").write_text(CALL)
    assert (
        main.main(["data", "segment", str(tmp_path / "call.wav"), "--to", str(tmp_path / "to")])
        == 0
    )
    lines = (tmp_path / "to" / "manifest.jsonl").read_text().splitlines()
    return [(row.get("speaker"), row.get("channel")) for row in map(json.loads, lines)]


def test_each_speaker_of_a_stereo_call_is_read_from_the_channel_that_is_louder(tmp_path):
    found = call(tmp_path, (0.1, 0.9), (0.9, 0.2))
    assert found == [("Agent", 1), ("Customer", 0), ("Customer", 0), ("Agent", 1)]


def test_channels_that_are_equally_loud_stay_mixed(tmp_path):
    assert {channel for _, channel in call(tmp_path, (0.5, 0.5), (0.5, 0.4))} == {None}


@pytest.mark.parametrize(
    ("quieter", "channels"), [(0.1, [1, 0, 0, 1]), (0.9, [None] * 4)], ids=["apart", "alike"]
)
def test_a_plain_transcript_of_a_stereo_call_is_read_from_each_speaker_s_channel(
    tmp_path, tones, quieter, channels
):
    turns = [
        ("Ann", "alpha bravo"),
        ("Ben", "charlie"),
        ("Ben", "delta echo"),
        ("Ann", "golf hotel india"),
    ]
    silence = np.zeros((RATE, 2), np.float32)
    pieces = [silence]
    for name, text in turns:
        sound, mine = say(text), 1 if name == "Ann" else 0
        levels = [quieter, quieter]
        levels[mine] = 1.0
        pieces += [sound[:, None] * np.array(levels, np.float32), silence]
    soundfile.write(tmp_path / "call.wav", np.concatenate(pieces), RATE)
    (tmp_path / "call.txt").write_text("\n".join(f"{name}: {text}." for name, text in turns))
    request = SegmentationRequest(tmp_path / "call.wav", tmp_path / "to", model="tones")
    ((_, found),) = segment(request, tmp_path)
    assert [(one.speaker, one.text) for one in found] == [(n, f"{text}.") for n, text in turns]
    assert [one.channel for one in found] == channels


def stereo(path, *turns):
    """A call of two channels: per turn the channel, what is said, and the seconds after it."""
    pieces = []
    for channel, text, pause in turns:
        said = np.concatenate([say(text), np.zeros(round(pause * RATE), np.float32)])
        sound = np.zeros((len(said), 2), np.float32)
        sound[:, channel] = said
        pieces.append(sound)
    soundfile.write(path, np.concatenate(pieces), RATE)
    return np.concatenate(pieces)


@pytest.mark.parametrize("pause", [0.6, 0.04], ids=["pauses", "no pause"])
def test_a_short_turn_of_a_call_is_never_cut_from_the_other_channel_or_both(tmp_path, tones, pause):
    turns = [
        ("Ann", "alpha bravo charlie", 0),
        ("Ben", "yes", 1),  # 0.36 s, and the shortest utterance has 1 s
        ("Ann", "delta echo golf", 0),
        ("Ben", "hotel india juliett", 1),
        ("Ann", "no", 0),
        ("Ben", "kilo lima mike", 1),
    ]
    sound = stereo(tmp_path / "call.wav", *((ch, text, pause) for _, text, ch in turns))
    (tmp_path / "call.txt").write_text("\n".join(f"{name}: {text}." for name, text, _ in turns))
    request = SegmentationRequest(tmp_path / "call.wav", tmp_path / "to", model="tones")
    ((_, found),) = segment(request, tmp_path)
    assert [(one.speaker, f"{one.text}", one.channel) for one in found] == [
        (name, f"{text}.", channel) for name, text, channel in turns
    ]
    assert [one.rejected for one in found] == ["", "too short", "", "", "too short", ""]
    for one, (_, text, channel) in zip(found, turns, strict=True):
        cut = sound[round(one.start_seconds * RATE) : round(one.end_seconds * RATE)]
        assert np.abs(cut[:, channel]).sum() > 0.9 * np.abs(say(text)).sum()
    kept = (tmp_path / "to" / "manifest.jsonl").read_text().splitlines()
    assert [json.loads(row)["channel"] for row in kept] == [0, 0, 1, 1]
    left_out = (tmp_path / "to" / "rejected.jsonl").read_text().splitlines()
    assert [json.loads(row)["text"] for row in left_out] == ["yes.", "no."]


def test_short_turns_of_one_channel_are_joined_and_those_without_a_name_are_found(tmp_path, tones):
    turns = [
        (0, "alpha bravo", 0.3),  # before the first label
        (1, "yes", 0.3),
        (1, "right", 0.3),
        (0, "delta echo golf", 0.3),
        (1, "hotel india juliett", 0.3),
        (0, "kilo lima mike", 0.3),
    ]
    stereo(tmp_path / "call.wav", *turns)
    text = "alpha bravo\nBen: yes\nBen: right\nAnn: delta echo golf\nBen: hotel india juliett\n"
    text += "Ann: kilo lima mike\n"
    (tmp_path / "call.txt").write_text(text)
    request = SegmentationRequest(tmp_path / "call.wav", tmp_path / "to", model="tones")
    ((_, found),) = segment(request, tmp_path)
    assert [(one.speaker, one.text, one.channel, one.rejected) for one in found] == [
        ("", "alpha bravo", 0, ""), ("Ben", "yes right", 1, ""),
        ("Ann", "delta echo golf", 0, ""), ("Ben", "hotel india juliett", 1, ""),
        ("Ann", "kilo lima mike", 0, ""),
    ]  # fmt: skip


def test_a_subtitle_of_two_channels_is_left_out_and_counted(tmp_path, capsys):
    cues = [
        ("Ann: how may i help", [(0, 1.5)]),
        ("Ben: my line is dead", [(1, 1.5)]),
        ("- Ann: yes it was me\n- Ben: no", [(0, 1.2), (1, 0.3)]),
        ("thank you so much", [(1, 1.5)]),
        ("Ann: goodbye then ben", [(0, 1.5)]),
    ]
    sound = np.zeros((11 * RATE, 2), np.float32)
    written = ""
    for number, (text, parts) in enumerate(cues):
        at = 2 * number + 1
        written += f"{number}\n00:00:{at:02},000 --> 00:00:{at + 1:02},500\n{text}\n\n"
        start = at * RATE
        for channel, seconds in parts:
            sound[start : start + round(seconds * RATE), channel] = tone(seconds)
            start += round(seconds * RATE)
    soundfile.write(tmp_path / "call.wav", sound, RATE)
    (tmp_path / "call.srt").write_text(written)
    to = tmp_path / "to"
    assert main.main(["data", "segment", str(tmp_path / "call.wav"), "--to", str(to)]) == 0
    kept = [json.loads(row) for row in (to / "manifest.jsonl").read_text().splitlines()]
    assert [(row["text"], row["speaker"], row["channel"]) for row in kept] == [
        ("how may i help", "Ann", 0), ("my line is dead", "Ben", 1),
        ("thank you so much", "Ben", 1), ("goodbye then ben", "Ann", 0),
    ]  # fmt: skip
    (left_out,) = (json.loads(row) for row in (to / "rejected.jsonl").read_text().splitlines())
    assert (left_out["text"], left_out["reason"]) == ("yes it was me no", "on no single channel")
    assert "on no single channel" in "".join(capsys.readouterr())


@pytest.mark.parametrize("mark", ["%HESITATION", "%hesitation", "%uh"])
def test_hesitations_of_stm_are_not_words(mark):
    (entry,) = stm.parse(f"call 1 ann 0.0 2.0 <o> so {mark} 100% yes", "x").entries
    assert entry.text == "so 100% yes"


@pytest.mark.parametrize("mark", ["(HUH)", "%UH", "<NOISE>"])
def test_hesitations_of_ctm_are_not_words(mark):
    lines = f"call 1 0.0 0.5 so\ncall 1 0.5 0.5 {mark}\ncall 1 1.0 0.5 yes\n"
    assert [entry.text for entry in ctm.parse(lines, "x").entries] == ["so", "yes"]
