"""BLEU and chrF from sums of statistics, against sacrebleu's scores of full corpora."""

from __future__ import annotations

import random
import sys

import numpy as np
import pytest
import sacrebleu
from evaluation_fakes import FakeCorpus, evaluation_of
from sacrebleu.metrics.bleu import _TOKENIZERS

from mynah.cli.main import main
from mynah.config.settings import fields_of
from mynah.evaluation.metrics.bleu import Bleu, BleuOptions
from mynah.evaluation.metrics.chrf import Chrf, ChrfOptions

SAID = [
    "The cat sat on the mat, as cats do.",
    "It's raining in Berlin today.",
    "Would you like some tea?",
    "No.",
]
RECOGNIZED = [
    "The cat is sitting on the mat, as cats do.",
    "It is raining in Berlin today",
    "would you like a cup of Tea?",
    "",
]


def corpus(seed: int) -> tuple[list[str], list[str]]:
    """Sentences and worse ones; some are empty, some too short for a long n-gram."""
    generator = random.Random(seed)
    words = [
        "The",
        "cat",
        ",",
        "sat",
        "on",
        "a",
        "Mat",
        ".",
        "it's",
        "1,000",
        "$5",
        "naïve",
        "Straße",
        "don't",
        "«so»",
        "no",
    ]
    said, recognized = [], []
    for _ in range(30):
        one = generator.choices(words, k=generator.randint(0, 14))
        other = [w if generator.random() < 0.8 else generator.choice(words) for w in one]
        said.append(" ".join(one))
        recognized.append(" ".join(other[: generator.randint(0, len(other))] if one else ["cat"]))
    return said, recognized


def of_sums(metric, said, recognized) -> float:
    vectors = [metric.statistics(a, b) for a, b in zip(said, recognized, strict=True)]
    return metric.value(np.sum(vectors, axis=0))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("lowercase", [False, True])
def test_a_corpus_has_sacrebleu_s_score(seed, lowercase):
    said, recognized = corpus(seed)
    bleu = Bleu(BleuOptions(lowercase=lowercase))
    chrf = Chrf(ChrfOptions(lowercase=lowercase))
    theirs = sacrebleu.corpus_bleu(recognized, [said], lowercase=lowercase).score
    assert of_sums(bleu, said, recognized) == theirs
    lower = (
        [[t.lower() for t in recognized], [[t.lower() for t in said]]]
        if lowercase
        else [recognized, [said]]
    )
    assert of_sums(chrf, said, recognized) == pytest.approx(
        sacrebleu.corpus_chrf(*lower).score, 1e-13
    )


def test_a_tokenizer_of_sacrebleu_can_be_chosen():
    said, recognized = ["今天天气很好", "我想喝茶"], ["今天天汽很好", "我想喝水"]
    theirs = sacrebleu.corpus_bleu(recognized, [said], tokenize="zh").score
    assert of_sums(Bleu(BleuOptions(tokenize="zh")), said, recognized) == theirs > 0


def test_a_tokenizer_that_cannot_be_loaded_is_said_before_anything_is_spent(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "MeCab", None)  # as where sacrebleu[ja] is not installed
    settings = ["evaluation.metrics=[bleu]", "evaluation.options.bleu.tokenize=ja-mecab"]
    assert main(["train", "model=small", *settings]) == 2
    printed = capsys.readouterr()
    assert "tokenizer cannot be loaded" in printed.err
    assert "evaluation.options.bleu.tokenize=13a" in printed.err
    assert "Reading" not in printed.out + printed.err


def test_a_tokenizer_that_sacrebleu_does_not_have_is_refused(capsys):
    settings = ["evaluation.metrics=[bleu]", "evaluation.options.bleu.tokenize=klingon"]
    assert main(["train", "model=small", *settings]) == 2
    refused = capsys.readouterr().err
    assert 'not "klingon"' in refused
    assert "run:   mynah train" in refused


def test_the_tokenizers_that_are_named_are_sacrebleu_s():
    named = fields_of(BleuOptions)["tokenize"].choices
    assert set(named) <= set(_TOKENIZERS)


def test_nothing_right_is_zero():
    assert of_sums(Bleu(), ["a b"], ["x y"]) == of_sums(Chrf(), ["a b"], ["x y"]) == 0.0


def test_translations_are_scored_as_written_and_more_is_better():
    scores = evaluation_of(FakeCorpus(SAID), RECOGNIZED, metrics=["bleu", "chrf", "wer"]).scores
    assert scores["bleu"].value == sacrebleu.corpus_bleu(RECOGNIZED, [SAID]).score
    assert scores["chrf"].value == pytest.approx(
        sacrebleu.corpus_chrf(RECOGNIZED, [SAID]).score, 1e-13
    )
    assert scores["bleu"].metric.greater_is_better and not scores["wer"].metric.greater_is_better
    low, high = scores["bleu"].by_utterance.low, scores["bleu"].by_utterance.high
    assert 0 <= low < scores["bleu"].value < high <= 100
