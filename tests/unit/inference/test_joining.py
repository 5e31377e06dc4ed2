"""Where the words of two pieces that overlap are joined; the right seams are seen by eye."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mynah.inference.decoding import RecordingPart, decode_parts
from mynah.inference.joining import seam
from mynah.inference.recording import OpenRecording
from mynah.inference.transcription import Guarded, TimedWord
from mynah.models.transcript import Clip, Transcript, Word
from mynah.models.transcript import joined as models_joined
from mynah.segmentation.aligning.word_times import units_of

RATE = 100


@pytest.mark.parametrize(
    ("before", "after", "joined"),
    [
        ("a b c d e f", "e f g h i j", "a b c d e f g h i j"),
        ("one two three four fi", "our five six seven eight", "one two three four five six seven"),
        ("I said: Hello, world", "hello world and more of it", "I said: Hello, world and more"),
        # The word that the window cut is wrong in the first alone.
        ("x y the quick brown fo", "quick brown fox jumps over", "x y the quick brown fox jumps"),
    ],
)
def test_shared_words_are_written_once(before, after, joined):
    left, right = before.split(), after.split()
    kept, first = seam(left, right, shared_before=0.4, shared_after=0.4)
    assert " ".join([*left[:kept], *right[first:]]).startswith(joined)


def test_without_a_shared_word_each_side_gives_half_of_the_overlap():
    left, right = list("abcdefghij"), list("1234567890")
    assert seam(left, right, shared_before=0.4, shared_after=0.2) == (8, 1)


@pytest.mark.parametrize(("left", "right"), [([], []), (["a"], []), ([], ["a"])])
def test_a_piece_without_words_costs_nothing(left, right):
    kept, first = seam(left, right, shared_before=0.0, shared_after=0.0)
    assert [*left[:kept], *right[first:]] == [*left, *right]


@pytest.mark.parametrize(
    ("before", "after", "joined"),
    [
        # Ten seconds each, the last four of the first and the first four of the second shared;
        # each cuts a character at its edge.
        (
            "今天天气很好我们一起去公园散步吧她",
            "一起去公园散步吧然后我们回家吃晚饭",
            "今天天气很好我们一起去公园散步吧然后我们回家吃晚饭",
        ),
        (
            "我昨天用 iPhone 打电话给他说，你好",
            "电话给他说：你好吗？我很好。",
            "我昨天用 iPhone 打电话给他说：你好吗？我很好。",
        ),
        (
            "きょうはラーメンをたべました",
            "をたべましたとてもおいしい",
            "きょうはラーメンをたべましたとてもおいしい",
        ),
        (
            "วันนี้อากาศดีมากเราไปเที่ยว",
            "มากเราไปเที่ยวกันเถอะ",
            "วันนี้อากาศดีมากเราไปเที่ยวกันเถอะ",
        ),
        ("we call anna now and", "anna now and then stop", "we call anna now and then stop"),
    ],
)
@pytest.mark.parametrize("timed", [True, False])
def test_speech_without_a_pause_is_written_once_in_any_script(before, after, joined, timed):
    recording = OpenRecording("")
    for text, start in ((before, 0.0), (after, 6.0)):
        part = RecordingPart(
            Clip(np.zeros(10 * RATE, np.float32)),
            RATE,
            start_seconds=start,
            overlap_seconds=4.0 if start else 0.0,
            is_piece=True,
        )
        words = units_of([Word(one, 0.0, 10.0) for one in text.split()])
        times = tuple(TimedWord(one.text, one.start_seconds, one.end_seconds) for one in words)
        part.settle(Transcript(text), times if timed else None, Guarded())
        recording.add(part)
    made = recording.transcription()
    assert made.text == joined
    if timed:
        assert "".join(one.text for one in made.words) == joined.replace(" ", "")


@pytest.mark.parametrize(
    ("texts", "joined"),
    [
        (["今天很好。", "我们走吧"], "今天很好。我们走吧"),
        (["call anna", "now"], "call anna now"),
        (["สวัสดีครับ", "วันนี้"], "สวัสดีครับ วันนี้"),  # Thai has a space where people pause
        (["我用", "iPhone"], "我用 iPhone"),
    ],
)
def test_pieces_with_a_pause_between_them_are_joined_as_their_script_has_it(texts, joined):
    recording = OpenRecording("")
    for number, text in enumerate(texts):
        part = RecordingPart(
            Clip(np.zeros(RATE, np.float32)), RATE, start_seconds=2.0 * number, is_piece=True
        )
        part.settle(Transcript(text), None, Guarded())
        recording.add(part)
    assert recording.transcription().text == joined
    halves = models_joined([Transcript(text) for text in texts])
    assert halves.text == joined


def decoded_seconds(text: str, seconds: float) -> list[float]:
    """What is decoded of a piece of which a decoder writes this text."""

    class Writes:
        name, sample_rate = "seq2seq", RATE
        model = torch.nn.Linear(1, 1)

        def transcribe(self, clips):
            decoded.extend(len(clip.audio) / RATE for clip in clips)
            return [Transcript(text) for _ in clips]

    decoded: list[float] = []
    part = RecordingPart(Clip(np.ones(round(seconds * RATE), np.float32)), RATE, is_piece=True)
    decode_parts(Writes(), [part], batch_seconds=60, batch_size=4, words=False)
    return decoded


# Article 1 of the Universal Declaration of Human Rights: 39 syllables, 47 and some 50.
MANDARIN = "人人生而自由在尊严和权利上一律平等他们赋有理性和良心并应以兄弟关系的精神相对待"
THAI = (
    "มนุษย์ทั้งปวงเกิดมามีอิสระและเสมอภาคกันในศักดิ์ศรีและสิทธิ ต่างมีเหตุผลและมโนธรรม "
    "และควรปฏิบัติต่อกันด้วยเจตนารมณ์แห่งภราดรภาพ"
)
ENGLISH = (
    "all human beings are born free and equal in dignity and rights they are endowed with reason "
    "and conscience and should act towards one another in a spirit of brotherhood"
)


@pytest.mark.parametrize(
    ("text", "seconds"), [(MANDARIN, 39 / 5.2), (THAI, 47 / 4.7), (ENGLISH, 50 / 6.2)]
)
def test_a_decoder_that_stopped_early_is_noticed_by_the_rate_of_speech_of_each_script(
    text, seconds
):
    """By its syllables a second (Pellegrino et al. 2011; Thai: Coupé et al. 2019), and a fifth
    more slowly."""
    seconds = max(8.5, 1.2 * seconds)
    assert decoded_seconds(text, seconds) == [pytest.approx(seconds, abs=0.01)]
    assert len(decoded_seconds(text[: len(text) // 2], seconds)) > 1
