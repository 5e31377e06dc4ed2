"""Decoding and scoring in one, and the table that ends a run."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from evaluation_fakes import FakeCorpus, FakeFamily

from mynah.config.schema import Config
from mynah.errors import UserError
from mynah.evaluation.evaluate import Evaluation, evaluate_split
from mynah.evaluation.intervals.interval import Interval
from mynah.evaluation.metrics.word_error_rate import WordErrorRate
from mynah.evaluation.score import Measure
from mynah.evaluation.summary import console_summary, with_interval

SAID = ["Turn left.", "Set a timer!", "What time is it?", "Play the song"]
RECOGNIZED = ["turn left now", "set the timer", "what time is it", "play song"]


def test_an_evaluation_decodes_normalises_and_scores_the_full_corpus():
    corpus = FakeCorpus(SAID, unreadable={2})
    found = evaluate_split(FakeFamily(RECOGNIZED), corpus, Config(), progress=False)
    s = found.scores
    assert (s.utterances, s.words, s.failed) == (4, 12, 1)
    assert s.edits[1:] == (1, 5, 1)
    assert s["wer"].value == 7 / 12
    assert s["wer"].by_utterance.low <= s["wer"].value <= s["wer"].by_utterance.high
    assert s.normalizer == "basic@2"
    assert found.name == "validation"
    assert found.corpus_fingerprint == "f00d"
    assert found.audio_seconds == corpus.durations.sum()
    assert found.speed > 0


def test_the_settings_decide_the_normaliser_and_the_bootstrap():
    config = Config()
    config.evaluation.normalizer = "none"
    config.evaluation.bootstrap_samples = 0
    found = evaluate_split(
        FakeFamily(RECOGNIZED), FakeCorpus(SAID), config, name="test", progress=False
    )
    assert found.name == "test"
    assert found.scores.normalizer == "none@2"
    assert found.scores["wer"].value == 10 / 12
    assert math.isnan(found.scores["wer"].low)


def test_the_settings_decide_the_batches():
    config = Config()
    config.training.per_device_eval_batch_size = 3
    family = FakeFamily(RECOGNIZED)
    evaluate_split(family, FakeCorpus(SAID), config, progress=False)
    assert [len(rows) for rows in family.batches] == [3, 1]


def test_hypotheses_of_fewer_rows_than_the_corpus_are_refused():
    corpus = FakeCorpus(SAID)
    found = evaluate_split(FakeFamily(RECOGNIZED), corpus, Config(), progress=False)
    with pytest.raises(ValueError, match="one a row"):
        Evaluation.from_decoding(corpus, found.hypotheses[:-1], Config(), seconds=1.0)


def test_the_table_shows_each_split_with_its_rates_intervals_and_counts(capsys):
    config = Config()
    corpus = FakeCorpus(SAID, speakers=[""] * 4)
    one = evaluate_split(FakeFamily(RECOGNIZED), corpus, config, name="clean", progress=False)
    two = evaluate_split(FakeFamily(SAID), corpus, config, name="other", progress=False)
    console_summary({"clean": one, "other": two})
    printed = capsys.readouterr().out
    s = one.scores
    assert "clean" in printed and "other" in printed and "basic@2" in printed
    assert f"25.0 [{100 * s['wer'].low:.1f}, {100 * s['wer'].high:.1f}]" in printed
    assert "1/1/1" in printed
    # Without an error nothing varies: an interval from 0 to 0 would claim that there is none.
    assert re.search(r"other +│ +\d+ │ +0\.00 │ +0\.00 │ +0/0/0", printed)


def measure(value: float, low: float, high: float, **about) -> Measure:
    interval = Interval(low, high, "a test", 9, **about)
    return Measure(WordErrorRate(), np.zeros(4), value, interval)


def test_a_rate_is_shown_with_its_interval_where_it_has_one():
    assert with_interval(measure(0.0741, 0.0602, 0.0893)) == "7.41 [6.02, 8.93]"
    assert with_interval(measure(0.125, math.nan, math.nan)) == "12.50"
    assert with_interval(measure(0.125, 0.0, 0.5, informative=False)) == "12.50 [9 speakers]"


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("place", ["weight", "buffer"])
def test_a_model_whose_weights_are_not_finite_is_never_measured(value, place):
    family = FakeFamily([""] * 4)
    if place == "weight":
        family.model[0].weight.data[1, 0] = value
    else:
        family.model[0].register_buffer("weight_mean", torch.tensor([0.0, value]))
    with pytest.raises(UserError, match=r"not finite: 0\.weight") as caught:
        evaluate_split(family, FakeCorpus(SAID), Config(), progress=False)
    assert family.batches == [] and "earlier checkpoint" in caught.value.fix
