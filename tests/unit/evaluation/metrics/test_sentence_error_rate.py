"""Sentence error rate: the share of utterances with any error."""

from __future__ import annotations

from evaluation_fakes import FakeCorpus, evaluation_of


def test_it_is_the_share_of_utterances_that_are_not_as_said():
    corpus = FakeCorpus(["One, two.", "three", "four", "five"])
    scores = evaluation_of(corpus, ["one two", "tree", "", "five!"], metrics=["ser"]).scores
    assert scores["ser"].value == scores.sentence_error_rate == 2 / 4
    assert scores.measures.keys() == {"ser"}
