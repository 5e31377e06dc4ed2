"""Several hypotheses of each utterance on the report's page, folded away."""

from __future__ import annotations

import dataclasses
import json

import pytest
from browser import on_a_phone
from evaluation_fakes import FakeCorpus, evaluation_of

from mynah.evaluation import report
from mynah.evaluation.n_best.rates import rates_of
from mynah.models.transcript import Transcript

EVIL = "</details><img src=x onerror='alert(2)'>"


@pytest.fixture
def page(tmp_path):
    evaluation = evaluation_of(FakeCorpus(["turn left", "a b", "no"]), ["turn loft", "a b", "no"])
    lists = [
        [Transcript("turn loft", (), -1.0), Transcript("Turn left.", (), -2.5), Transcript(EVIL)],
        [Transcript("a b " + "x" * 300, (), -1.0)],
        [],
    ]
    rates = rates_of(
        lists,
        evaluation.hypotheses,
        normalizer="basic",
        worth=lambda text: 9.0 * (text == EVIL),
    )
    evaluation = dataclasses.replace(evaluation, n_best=rates)
    return report.write_evaluation(
        tmp_path, {"validation": evaluation}, history=[], about={}, corpora={}
    )


def test_hypotheses_are_folded_away_escaped_and_say_which_are_chosen(page):
    text = page.read_text(encoding="utf-8")
    lists = text.split('<details class="n-best">')[1:]
    assert len(lists) == 2  # none where nothing was decoded
    found = next(one.split("</details>")[0] for one in lists if "turn loft" in one)
    assert "<summary>3 hypotheses</summary>" in found
    first, second, third = found.split("<li>")[1:]
    assert "1 error · log probability -1.00<" in first
    assert "Turn left." in second and "0 errors · log probability -2.50 · oracle<" in second
    assert "onerror=&#x27;alert" in third and "chosen by the language model" in third
    assert "<img src=x" not in text
    other = next(one for one in lists if "xxx" in one)
    assert "<summary>1 hypothesis</summary>" in other
    assert (
        "lists"
        not in json.loads((page.parent / "results.json").read_text())["evaluations"]["validation"][
            "n_best"
        ]
    )


@pytest.mark.long
def test_open_lists_fit_a_phone(page):
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace('<details class="n-best"', '<details open class="n-best"'))
    assert on_a_phone(page)["width"] <= 360
