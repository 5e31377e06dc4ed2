"""Transcripts in each format, read back by the field's own libraries."""

from __future__ import annotations

import csv
import io
import itertools
import json

import pysubs2
import pytest
import webvtt
from praatio import textgrid

from mynah.inference.formats import TRANSCRIPT_FORMATS
from mynah.inference.transcription import Guarded, Segment, TimedWord, Transcription

WORDS = (
    TimedWord("Call", 1.0, 1.3, 0.98),
    TimedWord("“Anna”", 1.3, 1.9, 0.5),
    TimedWord("now,", 2.0, 2.25),
)
TALK = Transcription(
    'Call “Anna” now, a < b & c --> d "so"',
    (
        Segment(0.8, 2.5, "Call “Anna” now,", words=WORDS),
        Segment(3723.5, 3725.004, 'a < b & c --> d "so"'),
    ),
    duration_seconds=4000.0,
    language="en",
    guarded=Guarded(silent_seconds=12.5, loops_cut=2),
)
CALL = Transcription(
    "hello yes",
    (Segment(0.0, 1.0, "hello", channel=0), Segment(0.5, 1.5, "yes", channel=1)),
    duration_seconds=2.0,
)
SILENCE = Transcription("", (), duration_seconds=3.0)


def written(transcription, name):
    return TRANSCRIPT_FORMATS[name].write(transcription, "some call")


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_subtitles_are_read_back_with_their_times_and_texts(name):
    read = pysubs2.SSAFile.from_string(written(TALK, name), format_=name)
    assert [(one.start, one.end) for one in read] == [(1000, 2250), (3_723_500, 3_725_004)]
    assert read[0].plaintext == "Call “Anna” now,"
    assert [one.plaintext for one in read][1].startswith("a ")


def test_webvtt_is_read_by_its_own_library():
    read = webvtt.from_buffer(io.StringIO(written(TALK, "vtt")))
    assert [one.start for one in read] == ["00:00:01.000", "01:02:03.500"]
    assert read[1].raw_text == 'a &lt; b &amp; c --&gt; d "so"'
    channels = webvtt.from_buffer(io.StringIO(written(CALL, "vtt")))
    assert [one.voice for one in channels] == ["Channel 1", "Channel 2"]
    assert [one.text for one in channels] == ["hello", "yes"]


def test_a_long_segment_is_cut_into_subtitles_that_can_be_read():
    words = tuple(TimedWord(f"word{n}", n * 0.5, n * 0.5 + 0.4) for n in range(60))
    text = " ".join(word.text for word in words)
    long = Transcription(text, (Segment(0.0, 30.0, text, words=words),), 30.0)
    read = list(pysubs2.SSAFile.from_string(written(long, "srt"), format_="srt"))
    assert " ".join(one.plaintext for one in read) == text
    assert all(one.duration <= 7000 and len(one.plaintext) <= 84 for one in read)
    assert all(a.end <= b.start for a, b in itertools.pairwise(read))


def test_a_pause_ends_a_subtitle():
    words = (TimedWord("one", 0.0, 0.4), TimedWord("two", 3.0, 3.4))
    made = Transcription("one two", (Segment(0.0, 4.0, "one two", words=words),), 4.0)
    read = pysubs2.SSAFile.from_string(written(made, "srt"), format_="srt")
    assert [(one.start, one.end) for one in read] == [(0, 400), (3000, 3400)]


def test_a_textgrid_covers_the_recording_and_is_read_by_praatio(tmp_path):
    (tmp_path / "talk.TextGrid").write_text(written(TALK, "textgrid"), encoding="utf-8")
    read = textgrid.openTextgrid(str(tmp_path / "talk.TextGrid"), includeEmptyIntervals=True)
    tier = read.getTier("utterances")
    assert (read.minTimestamp, read.maxTimestamp) == (0, 4000)
    assert [one.label for one in tier.entries if one.label] == [
        "Call “Anna” now,", 'a < b & c --> d "so"'
    ]  # fmt: skip
    assert tier.entries[0].start == 0 and tier.entries[-1].end == 4000
    joined = itertools.pairwise(tier.entries)
    assert all(a.end == b.start for a, b in joined)
    assert read.tierNames == ("utterances",)  # the second segment has no words


def test_words_and_channels_are_tiers_of_their_own(tmp_path):
    only = Transcription("Call “Anna” now,", TALK.segments[:1], 3.0)
    (tmp_path / "one.TextGrid").write_text(written(only, "textgrid"), encoding="utf-8")
    read = textgrid.openTextgrid(str(tmp_path / "one.TextGrid"), includeEmptyIntervals=False)
    entries = [(one.start, one.end, one.label) for one in read.getTier("words").entries]
    assert entries == [(word.start_seconds, word.end_seconds, word.text) for word in WORDS]
    (tmp_path / "two.TextGrid").write_text(written(CALL, "textgrid"), encoding="utf-8")
    read = textgrid.openTextgrid(str(tmp_path / "two.TextGrid"), includeEmptyIntervals=False)
    assert read.tierNames == ("utterances 1", "utterances 2")


@pytest.mark.parametrize("begin", [0.0, 3.0])
def test_a_first_word_without_a_length_joins_the_one_after_it(begin, tmp_path):
    """As a number is, which the letters of a CTC model that times words cannot write."""
    words = [("2024", begin, begin), ("was", begin, begin + 1), ("good", begin + 1, begin + 2)]
    segment = Segment(begin, begin + 2, "2024 was good", tuple(TimedWord(*one) for one in words))
    made = Transcription("2024 was good", (segment,), begin + 2)
    (tmp_path / "talk.TextGrid").write_text(written(made, "textgrid"), encoding="utf-8")
    read = textgrid.openTextgrid(str(tmp_path / "talk.TextGrid"), includeEmptyIntervals=False)
    entries = [(one.start, one.label) for one in read.getTier("words").entries]
    assert entries == [(begin, "2024 was"), (begin + 1, "good")]


def test_a_ctm_has_a_line_for_each_word():
    lines = written(TALK, "ctm").splitlines()
    assert lines[0].startswith(";;")  # the second segment's times are shared out
    assert lines[1:4] == [
        "some_call 1 1.000 0.300 Call 0.980",
        "some_call 1 1.300 0.600 “Anna” 0.500",
        "some_call 1 2.000 0.250 now,",
    ]
    fields = [line.split() for line in lines[4:]]
    assert [one[4] for one in fields] == ["a", "<", "b", "&", "c", "-->", "d", '"so"']
    assert float(fields[0][2]) == 3723.5
    end = float(fields[-1][2]) + float(fields[-1][3])
    assert end == pytest.approx(3725.004, abs=0.002)
    assert [line.split()[1] for line in written(CALL, "ctm").splitlines()[1:]] == ["1", "2"]


def test_a_table_has_the_columns_of_openai_s_whisper():
    rows = list(csv.DictReader(io.StringIO(written(TALK, "tsv")), delimiter="\t", quoting=3))
    assert rows[0] == {"start": "800", "end": "2500", "text": "Call “Anna” now,"}
    assert rows[1]["text"] == 'a < b & c --> d "so"'


def test_json_holds_everything():
    read = json.loads(written(TALK, "json"))
    assert (read["text"], read["language"], read["duration"]) == (TALK.text, "en", 4000.0)
    assert read["segments"][0]["words"][1] == {
        "word": "“Anna”", "start": 1.3, "end": 1.9, "confidence": 0.5
    }  # fmt: skip
    assert "words" not in read["segments"][1]
    assert read["guarded"] == {
        "silent_seconds": 12.5, "loops_cut": 2, "loops_left": 0, "stops_continued": 0,
        "texts_cut": 0, "cut_short": 0,
    }  # fmt: skip
    assert [one["channel"] for one in json.loads(written(CALL, "json"))["segments"]] == [0, 1]


def test_text_is_the_transcript_in_one_line():
    assert written(TALK, "txt") == TALK.text + "\n"


@pytest.mark.parametrize("name", sorted(TRANSCRIPT_FORMATS))
def test_silence_is_a_file_without_texts(name, tmp_path):
    content = written(SILENCE, name)
    assert "None" not in content
    if name == "textgrid":
        (tmp_path / "x.TextGrid").write_text(content)
        read = textgrid.openTextgrid(str(tmp_path / "x.TextGrid"), includeEmptyIntervals=True)
        assert [one.label for one in read.getTier("utterances").entries] == [""]


def test_text_without_spaces_is_cut_between_its_characters():
    """Mandarin, four characters a second for 30 s: no subtitle over 7 s, and no space that the
    text does not have."""
    text = "我用 iPhone，" + "今天天气很好。" * 16
    units = ["我", "用", "iPhone，", *["今", "天", "天", "气", "很", "好。"] * 16]
    words = tuple(TimedWord(one, n * 0.25, n * 0.25 + 0.25) for n, one in enumerate(units))
    made = Transcription(text, (Segment(0.0, 30.0, text, words=words),), 30.0)
    read = list(pysubs2.SSAFile.from_string(written(made, "srt"), format_="srt"))
    assert [one.duration for one in read] == [7000, 7000, 7000, 3750]  # 28 units each, and 15
    assert "".join(one.plaintext for one in read) == text


def test_a_ctm_of_text_without_spaces_has_a_line_for_each_character():
    talk = Transcription("今天 ok。", (Segment(0.0, 3.0, "今天 ok"),), 3.0)
    lines = [line.split() for line in written(talk, "ctm").splitlines()[1:]]
    assert [(line[4], line[2], line[3]) for line in lines] == [
        ("今", "0.000", "0.750"), ("天", "0.750", "0.750"), ("ok", "1.500", "1.500")
    ]  # fmt: skip
