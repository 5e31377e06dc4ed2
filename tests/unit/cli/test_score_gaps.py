"""Gaps between the segments of an STM file: what is recognized in them is somebody's error."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from mynah.cli.main import main

# Ann's own empty segments are what her gaps come to.
ONE_SPEAKER = """\
talk 1 inter_segment_gap 0 1 <o,,>
talk 1 ann 1 10 <o,f0> one two three
talk 1 inter_segment_gap 10 20 <o,,>
talk 1 ann 20 30 <o,f0> four five six
"""
HYPOTHESES = {
    "a.ctm": "talk 1 2 1 one\ntalk 1 3 1 two\ntalk 1 4 1 three\ntalk 1 21 1 four\n",
    "b.ctm": "talk 1 2 1 one\ntalk 1 11 1 gap\ntalk 1 21 1 four\ntalk 1 22 1 five\n",
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, words in HYPOTHESES.items():
        (tmp_path / name).write_text(words)
    (tmp_path / "gaps.stm").write_text(ONE_SPEAKER)
    (tmp_path / "own.stm").write_text(ONE_SPEAKER.replace("inter_segment_gap", "ann"))
    return tmp_path


def test_gaps_of_one_speaker_are_not_a_second_one(place):
    found = {}
    for reference in ("gaps.stm", "own.stm"):
        asked = ["a.ctm", "b.ctm", "--reference", reference, "--to", "page.html"]
        assert main(["compare", *asked]) == 0
        (pair,) = json.loads(Path("page.json").read_text())["pairs"]
        found[reference] = pair["differences"]["wer"]
    gaps = found["gaps.stm"]
    assert gaps == found["own.stm"]
    assert gaps["interval"] == "paired percentile bootstrap over 4 utterances"
    assert all(math.isfinite(gaps[name]) for name in ("difference", "low", "high", "p_value"))


def test_gaps_of_several_speakers_add_none_to_them(place):
    found = {}
    for reference in ("gaps.stm", "own.stm"):
        text = (place / reference).read_text().replace("ann 20", "bob 20")
        (place / reference).write_text(text)
        asked = ["a.ctm", "b.ctm", "--reference", reference, "--to", "page.html"]
        assert main(["compare", *asked]) == 0
        (pair,) = json.loads(Path("page.json").read_text())["pairs"]
        found[reference] = pair["differences"]["wer"]
    assert found["gaps.stm"] == found["own.stm"]
    assert found["gaps.stm"]["interval"] == "paired jackknife-t over 2 speakers"
