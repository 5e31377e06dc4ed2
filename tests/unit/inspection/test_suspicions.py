"""Rows that look wrong by their table alone, and where languages differ."""

from __future__ import annotations

import numpy as np
from inspected_corpora import sentence

from mynah.data.signals.audio_scan import AudioScan
from mynah.data.signals.signal_facts import FACTS
from mynah.inspection.rows import gather_rows
from mynah.inspection.suspicions import by_row, suspicions


class Listed:
    """A corpus without audio: what :func:`gather` asks for."""

    name, sample_rate = "train", 16000

    def __init__(self, texts, seconds, languages=None, no_speech=None, digests=None) -> None:
        count = len(texts)
        self.texts, self.durations = texts, np.array(seconds, dtype=float)
        self.ids = [f"row-{row}" for row in range(count)]
        self.languages = languages or ["en"] * count
        self.speakers = [f"s{row % 3}" for row in range(count)]
        self.sources = ["here"] * count
        self.digests = digests or [f"d{row}" for row in range(count)]
        self.channels = np.full(count, -1)
        self.no_speech = np.array(no_speech or [False] * count)

    def __len__(self) -> int:
        return len(self.texts)


def found_in(corpus: Listed) -> dict[str, list[int]]:
    found = suspicions(corpus, gather_rows(corpus), None, {})
    return {one.kind.key: one.rows.tolist() for one in found}


def test_an_empty_transcript_is_suspicious_unless_no_speech_was_announced():
    corpus = Listed(["", " ", "yes"], [1, 1, 1], no_speech=[True, False, False])
    assert found_in(corpus) == {"no_words": [1]}


def test_a_rate_is_usual_or_not_within_its_own_language():
    draw = np.random.default_rng(0)
    texts = [sentence(row) for row in range(121)]
    lengths = np.array([len(text) for text in texts])
    # The second language is spoken at a third of the characters a second, the last row is not.
    rates = np.concatenate([np.full(60, 15.0), np.full(60, 5.0), [15.0]])
    seconds = lengths / (rates * np.exp(draw.normal(0, 0.05, size=121)))
    languages = ["en"] * 60 + ["zh"] * 61
    assert found_in(Listed(texts, seconds, languages)) == {"text_too_long": [120]}
    assert "text_too_long" not in found_in(Listed(texts, seconds))


def test_letters_are_foreign_to_one_language_and_at_home_in_another():
    texts = ["the quick brown fox jumps over dogs"] * 30 + ["съешь ещё этих французских булок"] * 30
    texts[3] += " д"
    languages = ["en"] * 30 + ["ru"] * 30
    assert found_in(Listed(texts, [2.5] * 60, languages)) == {"other_script": [3]}


def test_the_first_of_equal_recordings_is_not_a_duplicate_and_unknown_ones_never_are():
    digests = ["a", "b", "a", "", "", "a"]
    texts = ["one", "two", "one", "three", "four", "five"]
    corpus = Listed(texts, [1] * 6, digests=digests)
    assert found_in(corpus) == {"duplicate": [5, 2]}  # another transcript comes first


def test_a_row_that_is_wrong_in_two_ways_is_listed_once_with_both():
    corpus = Listed(["5 %", "fine", "fine"], [1, 1, 1])
    rows = by_row(suspicions(corpus, gather_rows(corpus), None, {}))
    assert {row: [one.kind.key for one in found] for row, found in rows.items()} == {
        0: ["digits", "symbols"]
    }


def test_a_recording_at_the_telephone_s_own_rate_was_not_upsampled():
    facts = {name: np.zeros(2) for name in FACTS}
    facts["level_db"] = np.full(2, -25.0)
    facts["bandwidth_hz"] = np.full(2, 3900.0)
    facts["file_rate"] = np.array([8000.0, 16000.0])
    corpus = Listed(["yes", "no"], [1, 1])
    scan = AudioScan(np.arange(2), facts, {}, 2)
    found = suspicions(corpus, gather_rows(corpus), scan, {})
    assert {one.kind.key: one.rows.tolist() for one in found} == {"upsampled": [1]}


def test_what_cannot_be_read_is_named_with_its_reason():
    corpus = Listed(["yes", "no", "stop"], [1, 0, 1])
    facts = {name: np.zeros(3) for name in FACTS}
    scan = AudioScan(np.arange(3), facts, {2: "it is cut off"}, 2)
    [found] = [
        one
        for one in suspicions(corpus, gather_rows(corpus), scan, {"row-1": "there is no file"})
        if one.kind.key == "unreadable"
    ]
    assert [(row, found.describe(row)) for row in found.rows.tolist()] == [
        (1, "there is no file"),
        (2, "it is cut off"),
    ]
