"""Rates of several hypotheses: by hand, and n-grams that choose among them."""

from __future__ import annotations

import math

import pytest

from mynah import console
from mynah.config.schema import ModelConfig
from mynah.errors import UserError
from mynah.evaluation.hypothesis import Hypothesis
from mynah.evaluation.n_best.rates import rates_of, read_rescorer
from mynah.models.transcript import Transcript

# Unigrams: of "cat" 1/4, of "a" 1/4, of the end 1/4, and 1/4 for all other words together.
ARPA = """\\data\\
ngram 1=5

\\1-grams:
-99\t<s>
-0.6020599913\t</s>
-0.6020599913\t<unk>
-0.6020599913\ta
-0.6020599913\tcat

\\end\\
"""


def hypothesis(reference, text=""):
    return Hypothesis(id=reference, reference=reference, text=text, duration_seconds=1.0)


def of(*pairs):
    return [Transcript(text, (), log) for text, log in pairs]


def test_rates_are_those_of_the_chosen_hypotheses():
    references = [hypothesis("a cat sat"), hypothesis("a dog"), hypothesis("no sound", "no")]
    lists = [
        of(("a cut sat", -1.0), ("A cat sat.", -2.0)),  # 1 error, none
        of(("a dot", -1.0), ("a frog", -1.5), ("the frog", -9.0)),  # 1, 1, 2
        [],  # it could not be read: the hypothesis of before, 1 error
    ]
    found = rates_of(lists, references, normalizer="basic", worth=None)
    assert found.first == pytest.approx(3 / 7) and found.oracle == pytest.approx(2 / 7)
    assert found.rescored is None and found.size == 3 and found.errors_in == "wer"
    chosen = {"A cat sat.": 1.5, "the frog": 9.0}
    found = rates_of(lists, references, normalizer="basic", worth=lambda text: chosen.get(text, 0))
    assert found.rescored == pytest.approx((0 + 2 + 1) / 7)


def test_n_grams_are_worth_their_probability_by_hand(tmp_path):
    (tmp_path / "domain.arpa").write_text(ARPA)
    config = ModelConfig(
        language_model=str(tmp_path / "domain.arpa"), language_model_weight=0.5, word_bonus=2.0
    )
    rescorer = read_rescorer(config, "basic")
    # Two words and the end, each of them a quarter, beside what words written by letters have.
    expected = 0.5 * 3 * math.log(1 / 4) + 2 * 2.0
    assert rescorer.worth("A cat!") == pytest.approx(expected, abs=1e-6)
    assert rescorer.worth("a dog") < rescorer.worth("a cat")
    assert read_rescorer(ModelConfig(), "basic") is None


def test_n_grams_of_another_script_are_said_to_know_nothing(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(console, "notice", said.append)
    (tmp_path / "domain.txt").write_text("кошка сидит\nсобака ест\n", encoding="utf-8")
    rescorer = read_rescorer(ModelConfig(language_model=str(tmp_path / "domain.txt")), "basic")
    rescorer.say_what_it_knows(["a cat", "кошка"])
    assert "knows 1 of the 3 words" in said[0]


def test_n_grams_that_are_cut_short_are_refused(tmp_path):
    (tmp_path / "domain.arpa").write_text(ARPA[:-10])
    with pytest.raises(UserError, match="cut short"):
        read_rescorer(ModelConfig(language_model=str(tmp_path / "domain.arpa")), "basic")
