"""``mynah score --terms``: words that matter, counted by hand."""

from __future__ import annotations

import json
import math

import pytest
from scipy import stats

from mynah.cli.main import main

REFERENCES = [
    "call anna meyer now",
    "anna and bob at new york",
    "new york is york",
    "nothing of it",
    "bob",
]
HYPOTHESES = [
    "call anna mayer now",  # anna found; anna meyer is the longer term: missed, 1 of 2 words wrong
    "hannah and bob at new big york",  # anna missed; bob found; new york torn apart
    "new york is york",  # new york and york found
    "anna of it",  # anna where nobody said it
    "bob",
]
TERMS = "Anna\nAnna Meyer\nBob\nNew York\nYork\nZurich\n\nbob\n"


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    (tmp_path / "ref.txt").write_text("\n".join(REFERENCES) + "\n")
    (tmp_path / "hyp.txt").write_text("\n".join(HYPOTHESES) + "\n")
    (tmp_path / "terms.txt").write_text(TERMS)
    return tmp_path


def test_terms_are_counted_as_on_paper(place, capsys):
    assert main(["score", "ref.txt", "hyp.txt", "--terms", "terms.txt", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["terms"]
    counts = {
        one["term"]: (one["said"], one["recognized"], one["found"]) for one in found["counts"]
    }
    assert counts == {
        "anna meyer": (1, 0, 0),
        "anna": (1, 2, 0),  # recognized in the first line, and where nobody said it
        "bob": (2, 2, 2),
        "new york": (2, 1, 1),
        "york": (1, 2, 1),  # "new big york" has a york of its own
        "zurich": (0, 0, 0),
    }
    assert found["term_recall"] == pytest.approx(4 / 7)
    assert found["term_precision"] == pytest.approx(4 / 7)
    # Words of terms that are said: 2 + (1 + 1 + 2) + (2 + 1) + 1; meyer and anna are wrong.
    assert found["term_error_rate"] == pytest.approx(2 / 10)


def test_a_person_sees_what_is_missed_and_what_is_never_said(place, capsys):
    assert main(["score", "ref.txt", "hyp.txt", "--terms", "terms.txt"]) == 0
    said = capsys.readouterr().out
    assert "6 terms, said 7 times" in said
    assert "misses most often: anna (1 of 1), anna meyer (1 of 1), new york (1 of 2)" in said
    assert "1 terms are in no reference: zurich" in said


def test_the_interval_over_speakers_is_the_textbook_s(place, capsys):
    ids = ["a-1", "a-2", "b-1", "c-1", "d-1"]
    for name, texts in (("ref", REFERENCES), ("hyp", HYPOTHESES)):
        lines = [f"{text} ({key})" for text, key in zip(texts, ids, strict=True)]
        (place / f"{name}.trn").write_text("\n".join(lines) + "\n")
    assert main(["score", "ref.trn", "hyp.trn", "--terms", "terms.txt", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["terms"]
    by_speaker = [(1, 4), (2, 2), (0, 0), (1, 1)]  # found, said
    total, every = 4, 7
    without = [(total - f) / (every - s) for f, s in by_speaker]
    mean = sum(without) / 4
    error = math.sqrt(3 / 4 * sum((one - mean) ** 2 for one in without))
    half = stats.t.ppf(0.975, 3) * error
    assert found["term_recall_speakers_low"] == pytest.approx(max(0.0, 4 / 7 - half))
    assert found["term_recall_speakers_high"] == pytest.approx(min(1.0, 4 / 7 + half))


def test_systems_are_compared_by_their_terms(place, capsys):
    (place / "good.txt").write_text("\n".join(REFERENCES) + "\n")
    arguments = ["--reference", "ref.txt", "--terms", "terms.txt", "--to", "page.html"]
    assert main(["compare", "hyp.txt", "good.txt", *arguments]) == 0
    terms = json.loads((place / "page.json").read_text())["terms"]
    assert [one["term_recall"] for one in terms] == pytest.approx([4 / 7, 1.0])
    assert "A misses most often: anna" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ("Zurich\n", "None of the 1 terms is in any reference, as 'zurich'"),
        ("\n\n", "There is no term in it"),
        ("anna\n!!!\n", "Normalising leaves nothing of the term '!!!'"),
    ],
)
def test_terms_that_cannot_be_counted_are_refused(place, capsys, terms, said):
    (place / "terms.txt").write_text(terms)
    assert main(["score", "ref.txt", "hyp.txt", "--terms", "terms.txt"]) == 2
    message = capsys.readouterr().err
    assert said in message and len(message.splitlines()) <= 3
