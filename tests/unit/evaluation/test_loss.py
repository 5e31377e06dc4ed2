"""The evaluation loss, against a loop over single utterances with torch's own losses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from evaluation_fakes import FakeCorpus
from families import build
from tiny_models import TEXTS

import mynah.evaluation.loss as loss_of
from mynah.config.schema import Config
from mynah.data.utterances import Utterance
from mynah.errors import UserError
from mynah.evaluation.evaluate import evaluate_split
from mynah.models.family import Example


class Sentences(FakeCorpus):
    """Noise of different lengths with transcripts that the stand-ins can tokenize."""

    def __getitem__(self, row: int) -> Utterance:
        return Utterance(
            self.ids[row], self.texts[row], float(self.durations[row]), "", "en", "test"
        )

    def read_audio(self, row: int) -> np.ndarray:
        super().read_audio(row)
        samples = int(self.durations[row] * self.sample_rate)
        return (0.1 * np.random.default_rng(row).standard_normal(samples)).astype(np.float32)


@pytest.fixture
def corpus() -> Sentences:
    return Sentences(TEXTS[:5], durations=np.array([2.0, 1.2, 1.6, 2.4, 1.4]))


def measured(family, corpus, **settings) -> tuple[float, float]:
    """The loss and its tokens."""
    settings = {"batch_seconds": 100.0, "progress": False} | settings
    found = loss_of.evaluation_loss(family, corpus, **settings)
    return found.value, float(found.total[1])


@torch.no_grad()
def ctc_by_hand(family, corpus) -> tuple[float, int]:
    """transformers' own loss of each utterance alone, its sum by ``ctc_loss_reduction``."""
    model = family.model.eval()
    model.config.ctc_loss_reduction = "sum"
    total, tokens = 0.0, 0
    for row in range(len(corpus)):
        labels = family.labels(corpus.texts[row])
        features = torch.from_numpy(family.features(corpus.read_audio(row)))[None]
        total += model(input_values=features, labels=torch.tensor([labels])).loss.item()
        tokens += len(labels)
    return total / tokens, tokens


@torch.no_grad()
def whisper_by_hand(family, corpus) -> tuple[float, int]:
    """Cross entropy of each token of each utterance alone, the prompt given."""
    model = family.model.eval()
    total, tokens = 0.0, 0
    for row in range(len(corpus)):
        audio = corpus.read_audio(row)
        labels = family.labels(corpus.texts[row])
        example = Example(
            "", family.features(audio), labels, language="en", seconds=len(audio) / 16000
        )
        batch = family.collate([example])
        (target,) = batch.pop("labels")
        del batch["weights"]
        logits = model(**batch).logits[0, -len(target) :]
        total += torch.nn.functional.cross_entropy(logits, target, reduction="sum").item()
        tokens += len(target)
    return total / tokens, tokens


@pytest.mark.parametrize(("name", "by_hand"), [("ctc", ctc_by_hand), ("seq2seq", whisper_by_hand)])
def test_it_is_the_mean_over_all_tokens_of_single_utterances(name, by_hand, checkpoints, corpus):
    family = build(name, checkpoints)
    value, tokens = measured(family, corpus)
    expected, count = by_hand(family, corpus)
    assert tokens == count
    assert value == pytest.approx(expected, rel=2e-5)


def test_it_is_the_same_for_any_batches(checkpoints, corpus):
    family = build("ctc", checkpoints)
    together, _ = measured(family, corpus)
    assert measured(family, corpus, batch_size=1)[0] == pytest.approx(together, rel=1e-5)
    assert measured(family, corpus, batch_size=2)[0] == pytest.approx(together, rel=1e-5)


def test_it_leaves_no_trace(checkpoints, corpus):
    family = build("ctc", checkpoints)
    family.model.train()
    state = torch.get_rng_state()
    first = measured(family, corpus)
    assert family.model.training and torch.equal(state, torch.get_rng_state())
    assert measured(family, corpus) == first  # nothing is sampled: dropout is off
    assert all(parameter.grad is None for parameter in family.model.parameters())


def test_transcripts_are_as_they_were_in_training(checkpoints, corpus):
    family = build("ctc", checkpoints)
    plain = measured(family, corpus)
    corpus.texts = [text.upper() for text in corpus.texts]
    assert measured(family, corpus, text=str.lower) == plain


def test_an_utterance_without_a_loss_is_named_and_counted(checkpoints, corpus, capsys):
    family = build("ctc", checkpoints)
    corpus.unreadable = {1}
    corpus.texts[2] = "far more letters than there are frames " * 40
    value, tokens = measured(family, corpus)
    printed = " ".join(capsys.readouterr().out.split())
    assert "2 of 5 utterances" in printed and "utt-1" in printed and "utt-2" in printed
    expected = sum(len(family.labels(corpus.texts[row])) for row in (0, 3, 4))
    assert tokens == expected and np.isfinite(value)


def test_a_corpus_of_which_nothing_has_a_loss_is_refused(checkpoints, corpus):
    corpus.unreadable = set(range(5))
    with pytest.raises(UserError, match="Not one of the 5 utterances"):
        measured(build("ctc", checkpoints), corpus)


def test_an_evaluation_has_it_where_it_is_asked_for(checkpoints, corpus):
    family, config = build("ctc", checkpoints), Config()
    config.evaluation.bootstrap_samples = 10
    assert "loss" not in evaluate_split(family, corpus, config, progress=False).scores.measures
    expected, _ = ctc_by_hand(family, corpus)
    config.evaluation.metrics = ["loss", "cer"]
    scores = evaluate_split(family, corpus, config, progress=False).scores
    assert list(scores.measures) == ["loss", "cer"] and scores.best == "loss"
    assert scores.summary()["loss"] == pytest.approx(expected, rel=2e-5)
    config.evaluation.metrics, config.training.metric_for_best_model = None, "loss"
    scores = evaluate_split(family, corpus, config, progress=False).scores
    assert list(scores.measures) == ["wer", "cer", "loss"] and scores.best == "loss"
