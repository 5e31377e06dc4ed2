"""Transcripts to words, words to labels, and timed entries to utterances."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tone_speech import ToneFamily

from mynah.models.text.tokenizers import train_tokenizer
from mynah.segmentation import utterance as reasons
from mynah.segmentation.aligning.aligned_text import Rules
from mynah.segmentation.aligning.labels import WordTokenizer
from mynah.segmentation.cutting import Lengths
from mynah.segmentation.timed import timed_utterances
from mynah.segmentation.timed_transcripts.entry import TimedEntry, TimedTranscript
from mynah.segmentation.transcript import read_transcript


def words_of(text: str) -> list[str]:
    return [word.text for word in read_transcript(text).words]


def test_punctuation_alone_belongs_to_the_word_beside_it():
    assert words_of('— "Well , yes !" he said …') == ['— "Well ,', 'yes !"', "he", "said …"]


def test_annotations_are_left_out_and_counted():
    transcript = read_transcript("so [laughter] we <noise> went [inaudible]")
    assert [word.text for word in transcript.words] == ["so", "we", "went"]
    assert transcript.annotations == 3
    assert transcript.written(0, 3) == "so we went"


def test_scripts_without_spaces_are_words_by_character_and_stay_together():
    transcript = read_transcript("今日は晴れ。 OK です")
    assert [word.text for word in transcript.words] == [
        "今", "日", "は", "晴", "れ。", "OK", "で", "す",
    ]  # fmt: skip
    assert transcript.words[4].ends_sentence
    assert transcript.written(0, 5) == "今日は晴れ。"
    assert transcript.written(3, 7) == "晴れ。 OK で"


def test_lines_end_sentences_where_there_is_no_punctuation():
    assert [w.ends_sentence for w in read_transcript("one two\nthree\n\nfour").words] == [
        False, True, True, False,
    ]  # fmt: skip
    assert [w.ends_sentence for w in read_transcript("One two\nthree.\n\nFour").words] == [
        False, False, True, False,
    ]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab1 .,!?\n-'é語¿%", max_size=40))
def test_no_letter_is_lost_between_words(text):
    transcript = read_transcript(text)
    full = transcript.written(0, len(transcript.words))
    spoken = "".join(one for one in text if one.isalnum() or one == "%")
    assert "".join(one for one in full if one.isalnum() or one == "%") == spoken


class Tokenized:
    """A family by its tokenizer alone."""

    def __init__(self, kind: str) -> None:
        texts = ["call anna at five", "what's the weather in paris", "play the next song"]
        self.tokenizer = train_tokenizer(texts, kind=kind, vocab_size=60)

    def labels(self, text: str) -> list[int]:
        ids = self.tokenizer(text.lower(), add_special_tokens=False)["input_ids"]
        return [one for one in ids if one not in (self.tokenizer.unk_token_id, 0)]


@pytest.mark.parametrize("kind", ["character", "bpe"])
def test_words_tokenized_one_by_one_are_the_text_tokenized_at_once(kind):
    family = Tokenized(kind)
    tokenizer = WordTokenizer(family)
    words = ["play", "Anna’s", "next,", "song!"]
    tokenized = tokenizer.tokenize_all(words)
    assert all(one.is_covered for one in tokenized)
    joined = [one for word_labels in tokenized for one in word_labels.labels]
    full = family.labels("play anna's next song")
    assert joined == [one for one in full if one not in tokenizer.separators]
    assert len(tokenizer.separators) == (1 if kind == "character" else 0)


@pytest.mark.parametrize("kind", ["character", "bpe"])
def test_what_cannot_be_tokenized_is_named_and_punctuation_is_not(kind):
    tokenizer = WordTokenizer(Tokenized(kind))
    assert tokenizer.tokenize("at...").is_covered
    assert tokenizer.tokenize("weather-song").is_covered
    assert tokenizer.tokenize("1984").unknown == "1984"
    assert not tokenizer.tokenize("1984").is_covered
    assert tokenizer.tokenize("50%").unknown == "50%"
    assert tokenizer.tokenize("Zoë").unknown == "Zë"
    assert not tokenizer.tokenize("ë").is_covered


def test_tones_are_tokenized_with_a_separator():
    tokenizer = WordTokenizer(ToneFamily())
    tokenizer.tokenize_all(["hello"])
    assert tokenizer.separators == {1}


RULES = Rules(lengths=Lengths(1.0, 10.0))


def timed(*entries: TimedEntry, are_words=False, run_on=False, seconds=60.0, channels=1):
    transcript = TimedTranscript(list(entries), are_words, run_on)
    return timed_utterances(transcript, seconds, channels, RULES)


def test_single_words_are_put_together_and_cut_at_pauses():
    words = [
        TimedEntry(0.5, 1.0, "so", speaker="a"),
        TimedEntry(1.05, 1.6, "here.", speaker="a"),
        TimedEntry(2.4, 3.0, "Next", speaker="a"),
        TimedEntry(3.0, 3.8, "one", speaker="a"),
        TimedEntry(3.1, 4.5, "yes", speaker="b", channel=1),
    ]
    found = timed(*words, are_words=True, channels=2)
    assert [(one.text, one.speaker, one.channel) for one in found] == [
        ("so here.", "a", None),
        ("Next one", "a", None),
        ("yes", "b", 1),
    ]
    assert (found[0].start_seconds, found[0].end_seconds) == pytest.approx((0.35, 1.75))
    assert (found[1].start_seconds, found[1].end_seconds) == pytest.approx((2.25, 3.95))
    assert not any(one.rejected for one in found)


def test_words_around_one_that_is_not_written_are_rejected_and_no_others():
    marked = "a word is marked <unk>"
    words = [
        TimedEntry(0.5, 1.6, "yes."),
        TimedEntry(2.0, 3.0, "we"),
        TimedEntry(3.0, 3.5, "", rejected=marked),
        TimedEntry(3.5, 4.5, "here"),
        TimedEntry(4.9, 6.0, "right"),
    ]
    found = timed(*words, are_words=True)
    assert [(one.text, one.rejected, one.detail) for one in found] == [
        ("yes.", "", ""), ("we here", reasons.MARKED, marked), ("right", "", ""),
    ]  # fmt: skip
    (alone,) = timed(words[2], are_words=True)
    assert (alone.text, alone.rejected) == ("", reasons.MARKED)


def test_words_without_a_pause_are_too_long():
    words = [TimedEntry(i, i + 1.0, "word") for i in range(12)]
    (found,) = timed(*words, are_words=True)
    assert found.rejected == reasons.TOO_LONG


def test_subtitles_that_run_on_are_joined_up_to_the_end_of_the_sentence():
    cues = [
        TimedEntry(1.0, 3.0, "This goes"),
        TimedEntry(3.0, 5.0, "on here."),
        TimedEntry(5.0, 7.0, "This is new"),
        TimedEntry(8.0, 9.5, "after a pause"),
    ]
    assert [one.text for one in timed(*cues, run_on=True)] == [
        "This goes on here.",
        "This is new",
        "after a pause",
    ]
    assert len(timed(*cues)) == 4


def test_timed_utterances_are_rejected_for_what_is_wrong_with_them():
    found = timed(
        TimedEntry(0.0, 3.0, "both"),
        TimedEntry(2.0, 4.0, "at once"),
        TimedEntry(5.0, 5.5, "short"),
        TimedEntry(6.0, 17.0, "long"),
        TimedEntry(20.0, 22.0, "", rejected="marked so"),
        TimedEntry(30.0, 32.0, "good"),
        TimedEntry(32.1, 34.0, "..."),
        TimedEntry(58.0, 62.0, "late"),
    )
    assert [one.rejected for one in found] == [
        reasons.OVERLAPPING, reasons.OVERLAPPING, reasons.TOO_SHORT, reasons.TOO_LONG,
        reasons.MARKED, "", reasons.OUTSIDE_TEXT,
    ]  # fmt: skip


def test_two_people_on_two_channels_may_speak_at_once():
    both = [TimedEntry(0.0, 3.0, "one", channel=0), TimedEntry(1.0, 4.0, "two", channel=1)]
    assert not any(one.rejected for one in timed(*both, channels=2))
    assert all(one.rejected for one in timed(*both, channels=1))
    (left, right) = timed(*both, channels=2)
    assert (left.channel, right.channel) == (0, 1)
