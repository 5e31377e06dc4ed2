"""What a line of JSON says of its utterance."""

from __future__ import annotations

import pytest

from mynah.evaluation.comparing.files import described_utterance


@pytest.mark.parametrize(
    ("said", "speaker"), [(0, "0"), (7, "7"), ("anna", "anna"), ("", None), (None, None)]
)
def test_a_speaker_may_be_any_number(said, speaker):
    row = {"speaker": said}
    assert described_utterance("a", "one", "one", row, row).speaker == speaker


@pytest.mark.parametrize("said", [None, False, ""])
def test_an_empty_error_says_nothing_went_wrong(said):
    row = {"error": said}
    assert described_utterance("a", "one", "one", row, row).error is None
    row = {"error": "it is cut short"}
    assert described_utterance("a", "one", "one", row, row).error == "it is cut short"
