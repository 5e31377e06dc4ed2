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


@pytest.mark.parametrize("mark", ["%HESITATION", "%hesitation", "%uh"])
def test_hesitations_of_stm_are_not_words(mark):
    (entry,) = stm.parse(f"call 1 ann 0.0 2.0 <o> so {mark} 100% yes", "x").entries
    assert entry.text == "so 100% yes"


@pytest.mark.parametrize("mark", ["(HUH)", "%UH", "<NOISE>"])
def test_hesitations_of_ctm_are_not_words(mark):
    lines = f"call 1 0.0 0.5 so\ncall 1 0.5 0.5 {mark}\ncall 1 1.0 0.5 yes\n"
    assert [entry.text for entry in ctm.parse(lines, "x").entries] == ["so", "yes"]
