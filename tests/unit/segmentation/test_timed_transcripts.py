"""STM, CTM, SRT, VTT and TextGrid as they are written in the wild, and broken."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from praatio import textgrid

from mynah.errors import UserError
from mynah.segmentation import timed_transcripts

STM = """\
;; CATEGORY "0" "" ""
;; LABEL "O" "Overall" "Overall"
talk 1 inter_segment_gap 0 2.5 <o,,unknown>
talk 1 Anna_Smith 2.50 6.10 <o,f0,female> so { gonna / going to } say(2) (uh) it's <cough> fine
talk 1 Anna_Smith 6.10 9.00 ignore_time_segment_in_scoring
talk B excluded_region 9.0 10.0 <o,f0,male> IGNORE_TIME_SEGMENT_IN_SCORING
other 1 Ben 1.0 2.0 we <unk> here
"""

CTM = """\
;; made by a recognizer
talk 1 0.50 0.20 so 0.98
talk 1 0.70 0.30 well
talk 1 <ALT_BEGIN>
talk 1 * * <ALT_BEGIN>
talk 1 1.10 0.20 gonna
talk 1 * * <ALT>
talk 1 1.10 0.10 going
talk 1 * * <ALT_END>
talk A 2.00 0.40 [noise] 0.9 noise Anna
talk A 3.00 0.40 yes 0.9 lex Anna
"""

SRT = """\
1
00:00:01,000 --> 00:00:02,500
<i>Hello</i> {\\an8}there,
my friend.

2
00:00:03.000 --> 00:00:04,000 X1:10 X2:20
[door slams]

3
0:00:05,000 --> 0:00:06,000
- It is 1984

4
01:00:00,250 --> 01:00:01,000
♪ la la ♪ &amp; so on
"""

VTT = """\
WEBVTT - a title

NOTE
times in a note --> are none

STYLE
::cue { color: red }

intro
00:01.000 --> 00:02.000 align:start position:0%
<v.loud Anna Smith>Hello <00:01.500><c>there</c></v>

00:02.000 --> 00:04.000
<v Anna Smith>Hello there
and welcome

01:00:04.000 --> 01:00:05.000
&lt;3 to all
"""

LONG_GRID = """\
File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 2.5
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "sentences"
        xmin = 0
        xmax = 2.5
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = ""
        intervals [2]:
            xmin = 0.5
            xmax = 1.75
            text = "he said ""yes""
 and left"
        intervals [3]:
            xmin = 1.75
            xmax = 2.5
            text = "sil"
    item [2]:
        class = "TextTier"
        name = "bells"
        xmin = 0
        xmax = 2.5
        points: size = 1
        points [1]:
            number = 1.2
            mark = "ding"
    item [3]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 2.5
        intervals: size = 1
        intervals [1]:
            xmin = 0.5
            xmax = 1
            text = "he"
"""

SHORT_GRID = """\
File type = "ooTextFile"
Object class = "TextGrid"

0
1.5
<exists>
2
"IntervalTier"
"Anna"
0
1.5
1
0
1.5
"good morning"
"IntervalTier"
"Ben"
0
1.5
1
0.25
1.5
"hello"
"""

FILES = {
    "talk.stm": STM,
    "talk.ctm": CTM.replace("talk 1 <ALT_BEGIN>\n", ""),
    "talk.srt": SRT,
    "talk.vtt": VTT,
    "talk.TextGrid": LONG_GRID,
}


def read(tmp_path: Path, name: str, content: str | bytes, tiers=()):
    path = tmp_path / name
    if isinstance(content, str):
        content = content.encode()
    path.write_bytes(content)
    return timed_transcripts.read_timed(path, tiers=tiers)


def test_an_stm_gives_its_segments_without_gaps_marks_and_alternatives(tmp_path):
    entries = read(tmp_path, "talk.stm", STM).entries
    first = entries[0]
    assert (first.start_seconds, first.end_seconds) == (2.5, 6.1)
    assert first.text == "so gonna say uh it's fine"
    assert (first.recording, first.channel, first.speaker) == ("talk", 0, "Anna_Smith")
    assert [bool(one.rejected) for one in entries] == [False, True, True, True]
    assert entries[2].channel == 1
    assert "<unk>" in entries[3].rejected


def test_a_gap_that_is_scored_is_whose_turn_it_follows_on_its_channel(tmp_path):
    segments = [
        "a 1 inter_segment_gap 0 1", "a 1 ann 1 2 one", "a 1 inter_segment_gap 2 3",
        "a 2 inter_segment_gap 4 5", "a 1 inter_segment_gap 7 8", "a 1 bob 6 7 two",
        "a 2 cid 3 4 three", "a 1 inter_segment_gap 9 10",
        "a 1 excluded_region 8 9 ignore_time_segment_in_scoring",
        "b 1 inter_segment_gap 0 9",
    ]  # fmt: skip
    (tmp_path / "talk.stm").write_text("\n".join(segments))
    speakers = [one.speaker for one in timed_transcripts.read_scored(tmp_path / "talk.stm").entries]
    assert speakers == [
        "ann", "ann", "ann", "cid", "bob", "bob", "cid", "bob", "excluded_region", "",
    ]  # fmt: skip


def test_a_ctm_gives_its_words_and_of_alternatives_the_first(tmp_path):
    found = read(tmp_path, "talk.ctm", FILES["talk.ctm"])
    assert found.are_words
    assert [one.text for one in found.entries] == ["so", "well", "gonna", "yes"]
    assert found.entries[0].end_seconds == pytest.approx(0.7)
    assert (found.entries[-1].channel, found.entries[-1].speaker) == (0, "Anna")


def test_subrip_loses_tags_sounds_and_numbers_and_keeps_numbers_that_are_said(tmp_path):
    found = read(tmp_path, "talk.srt", SRT)
    assert [(one.start_seconds, one.end_seconds, one.text) for one in found.entries] == [
        (1.0, 2.5, "Hello there, my friend."),
        (5.0, 6.0, "It is 1984"),
        (3600.25, 3601.0, "& so on"),
    ]


def test_web_vtt_passes_over_notes_and_takes_a_rolling_line_once(tmp_path):
    entries = read(tmp_path, "talk.vtt", VTT).entries
    assert [one.text for one in entries] == ["Hello there", "and welcome", "<3 to all"]
    assert [one.speaker for one in entries] == ["Anna Smith", "Anna Smith", ""]
    assert entries[2].start_seconds == 3604.0


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-bom"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_long_text_grid_is_read_in_every_encoding_of_praat(tmp_path, encoding, newline):
    text = LONG_GRID.replace("\n", newline)
    if encoding == "utf-16-be-bom":
        content = b"\xfe\xff" + text.encode("utf-16-be")
    else:
        content = text.encode(encoding)
    found = read(tmp_path, "talk.TextGrid", content)
    assert [(one.start_seconds, one.end_seconds, one.text) for one in found.entries] == [
        (0.5, 1.75, 'he said "yes" and left')
    ]
    assert not found.are_words


def test_a_tier_of_words_is_put_together_as_words(tmp_path):
    found = read(tmp_path, "talk.TextGrid", LONG_GRID, tiers=("words",))
    assert found.are_words
    assert [one.text for one in found.entries] == ["he"]


def test_several_tiers_that_are_named_are_speakers(tmp_path):
    entries = read(tmp_path, "two.TextGrid", SHORT_GRID, tiers=("Anna", "Ben")).entries
    assert [(one.speaker, one.text) for one in entries] == [
        ("Anna", "good morning"),
        ("Ben", "hello"),
    ]


def grid_of(name: str, *texts: str) -> str:
    """A grid of one tier with an interval of a second for each text."""
    parts = [f'{start}\n{start + 1}\n"{text}"\n' for start, text in enumerate(texts)]
    head = SHORT_GRID.partition("\n0\n")[0]
    tier = f'"IntervalTier"\n"{name}"\n0\n{len(texts)}\n{len(texts)}\n'
    return f"{head}\n0\n{len(texts)}\n<exists>\n1\n{tier}{''.join(parts)}"


def test_annotations_in_brackets_of_a_text_grid_are_not_words_and_are_counted(tmp_path):
    said = ["[laughter]", "yes [cough] right", "<noise> good<breath>", "<sil>", "a (b) 3 < 4"]
    found = read(tmp_path, "talk.TextGrid", grid_of("utterances", *said))
    assert [(one.start_seconds, one.text) for one in found.entries] == [
        (1.0, "yes right"), (2.0, "good"), (4.0, "a (b) 3 < 4"),
    ]  # fmt: skip
    assert found.annotations == 4  # <sil> stands for silence, and is not one
    words = read(tmp_path, "talk.TextGrid", grid_of("words", "yes", "[cough]", "<UNK>", "right"))
    assert words.are_words
    assert [(one.text, one.start_seconds, bool(one.rejected)) for one in words.entries] == [
        ("yes", 0.0, False), ("", 2.0, True), ("right", 3.0, False),
    ]  # fmt: skip


def test_an_utterance_of_a_text_grid_with_an_unknown_word_is_of_no_use(tmp_path):
    found = read(tmp_path, "talk.TextGrid", grid_of("utterances", "we <UNK> here", "yes"))
    assert [(one.text, one.rejected) for one in found.entries] == [
        ("we here", "a word is marked <unk>"), ("yes", ""),
    ]  # fmt: skip


def test_a_tier_of_annotations_alone_is_empty(tmp_path):
    with pytest.raises(UserError, match="Nothing is written in tier 'utterances'"):
        read(tmp_path, "talk.TextGrid", grid_of("utterances", "[laughter]", "<noise>"))


def test_several_tiers_that_may_be_meant_are_asked_about(tmp_path):
    with pytest.raises(UserError, match="Anna, Ben") as caught:
        read(tmp_path, "two.TextGrid", SHORT_GRID)
    assert "--tier 'Anna'" in caught.value.fix
    with pytest.raises(UserError, match="no tier of intervals 'Ana'") as caught:
        read(tmp_path, "two.TextGrid", SHORT_GRID, tiers=("Ana",))
    assert "--tier 'Anna'" in caught.value.fix


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.stm", "talk 1 anna 0.0 1.0 <o> fine\ntalk 1 anna 2.0\n", 2),
        ("a.stm", "talk 1 anna 3.0 2.0 <o> fine\n", 1),
        ("a.stm", "talk 1 anna nan 2.0 <o> fine\n", 1),
        ("a.stm", "talk 1 anna -1 2.0 <o> fine\n", 1),
        ("a.stm", ";; nothing\n", 1),
        ("a.ctm", ";;\ntalk 1 0.5 word\n", 2),
        ("a.ctm", "talk 1 0.5 x word\n", 1),
        ("a.srt", "1\n00:00:01,000 --> soon\nhello\n", 2),
        ("a.srt", "1\n00:00:03,000 --> 00:00:02,000\nhello\n", 2),
        ("a.srt", "hello\n", 1),
        ("a.vtt", "00:01.000 --> 00:02.000\nhello\n", 1),
        ("a.vtt", "WEBVTT\n\n00:01.000 --> 0x:02.000\nhello\n", 3),
        ("a.TextGrid", LONG_GRID[:300], LONG_GRID[:300].count("\n") + 1),
        ("a.TextGrid", "hello", 1),
        ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nna\u00efve\n".encode("latin-1"), 3),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path, name, content, line):
    with pytest.raises(UserError) as caught:
        read(tmp_path, name, content)
    assert caught.value.where == f"{tmp_path / name}, line {line}"


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_a_file_that_was_damaged_anywhere_is_read_or_refused(tmp_path_factory, name, data):
    content = bytearray(FILES[name].encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content)))
        length = data.draw(st.integers(0, 30))
        content[place : place + length] = data.draw(st.binary(max_size=12))
    path = tmp_path_factory.getbasetemp() / f"damaged-{name}"
    path.write_bytes(bytes(content))
    try:
        found = timed_transcripts.read_timed(path)
    except UserError:
        return
    assert found.entries
    for entry in found.entries:
        assert 0 <= entry.start_seconds <= entry.end_seconds < float("inf")
        assert "\n" not in entry.text


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.text(max_size=200))
def test_any_text_at_all_is_read_or_refused(tmp_path_factory, name, text):
    path = tmp_path_factory.getbasetemp() / f"any-{name}"
    path.write_text(text, encoding="utf-8")
    try:
        timed_transcripts.read_timed(path)
    except UserError as problem:
        assert str(path) in problem.where


@pytest.mark.parametrize("form", ["long_textgrid", "short_textgrid"])
def test_a_text_grid_is_read_as_praatio_wrote_it(tmp_path, form):
    said = [(0.0, 1.25, "hello there"), (1.5, 2.75, 'she said "no"'), (3.0, 3.5, "Ünïcode ’s")]
    grid = textgrid.Textgrid()
    grid.addTier(textgrid.IntervalTier("utterances", said, 0, 4.0))
    grid.addTier(textgrid.PointTier("clicks", [(0.5, "click")], 0, 4.0))
    grid.save(str(tmp_path / "a.TextGrid"), format=form, includeBlankSpaces=True)
    found = timed_transcripts.read_timed(tmp_path / "a.TextGrid").entries
    assert [(one.start_seconds, one.end_seconds, one.text) for one in found] == said
