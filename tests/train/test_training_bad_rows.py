"""What cannot be read or learned is named, counted, and does not end a training."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from test_training_gradients import FixedPlan, make_family
from training_fakes import TinyCorpus, TinyFamily, TinyPlan, tiny_config, tiny_train, weights

from mynah.config.errors import UserError
from mynah.models.family import LossSum


def on_error(config, value):
    return replace(config, data=replace(config.data, on_error=value))


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_row_is_named_once_and_left_out(tmp_path, capsys, workers):
    config = tiny_config(max_steps=10, dataloader_num_workers=workers)
    corpus = TinyCorpus(unreadable=frozenset({3}))
    _, result = tiny_train(tmp_path, config, corpus=corpus)
    assert result.steps == 10
    assert result.skipped == {"utterance-003": "The recording cannot be read"}
    said = capsys.readouterr().out
    assert said.count("utterance-003") == 1
    assert "1 training utterance(s) could not be used" in said


def test_a_step_without_its_unreadable_row_is_the_step_of_the_others(tmp_path):
    config = tiny_config(max_steps=1, optim="sgd")
    ends = [
        weights(
            tiny_train(
                tmp_path / str(len(rows)),
                config,
                family=make_family(),
                corpus=TinyCorpus(unreadable=frozenset({3})),
                plan=FixedPlan([rows]),
            )[0]
        )
        for rows in ([0, 1, 2, 3], [0, 1, 2])
    ]
    for name, value in ends[0].items():
        torch.testing.assert_close(ends[1][name], value, rtol=1e-9, atol=1e-12)


def test_a_step_in_which_nothing_can_be_read_changes_nothing(tmp_path):
    config = tiny_config(max_steps=3, weight_decay=0.5, lr_scheduler_type="constant")
    corpus = TinyCorpus(unreadable=frozenset({4, 5}))
    batches = [[0, 1], [4, 5], [2, 3]]
    seen = []

    class Watching(FixedPlan):
        def batch(self, epoch, index, rank=0):
            seen.append(weights(family))
            return super().batch(epoch, index, rank)

    family = make_family()
    _, result = tiny_train(
        tmp_path, config, family=family, corpus=corpus, plan=Watching([*batches, [6]])
    )
    assert result.steps == 3 and set(result.skipped) == {"utterance-004", "utterance-005"}
    # Batches are planned just before they are used: the third when step 2 is done.
    assert all(torch.equal(seen[1][name], seen[2][name]) for name in seen[1])
    assert not all(torch.equal(seen[0][name], seen[1][name]) for name in seen[0])


def test_a_corpus_that_vanished_ends_the_training_and_says_so(tmp_path):
    corpus = TinyCorpus(unreadable=frozenset(range(20)))
    with pytest.raises(UserError, match="no utterance could be read"):
        tiny_train(tmp_path, tiny_config(max_steps=50), corpus=corpus)


def test_with_on_error_fail_an_unreadable_row_ends_the_training(tmp_path):
    config = on_error(tiny_config(), "fail")
    with pytest.raises(UserError, match="cannot be read") as caught:
        tiny_train(tmp_path, config, corpus=TinyCorpus(unreadable=frozenset({3})))
    assert caught.value.where == "utterance utterance-003"


def test_an_utterance_with_more_labels_than_frames_is_left_out_by_name(tmp_path):
    corpus = TinyCorpus()
    corpus.texts[6] = "abcdefgh" * 20
    corpus.read_audio_of = corpus.read_audio
    corpus.read_audio = lambda row: corpus.read_audio_of(row if row != 6 else 0)
    _, result = tiny_train(tmp_path, tiny_config(), corpus=corpus)
    assert result.skipped == {"utterance-006": "more labels than frames"}


class Exploding(TinyFamily):
    """Its loss is not a number in the steps given."""

    steps = frozenset({1})
    calls = 0

    def loss(self, model, batch):
        found = super().loss(model, batch)
        self.calls += 1
        factor = float("nan") if self.calls - 1 in self.steps else 1.0
        return LossSum(found.total * factor, found.count)


def test_a_loss_that_is_not_finite_is_named_and_its_step_left_out(tmp_path, capsys):
    torch.manual_seed(0)
    family = Exploding()
    config = tiny_config(max_steps=4, logging_steps=4, eval_strategy="no")
    _, result = tiny_train(tmp_path, config, family=family, plan=TinyPlan(20, 4))
    assert all(torch.isfinite(value).all() for value in weights(family).values())
    assert 0 < result.history[-1]["loss"] < 100
    said = capsys.readouterr().out
    assert "Step 2 is left out: the loss is not finite" in said and "utterance-0" in said


def test_a_loss_that_stays_not_finite_ends_the_training(tmp_path):
    torch.manual_seed(0)
    family = Exploding()
    family.steps = frozenset(range(3, 1000))
    with pytest.raises(UserError, match="the loss is not finite") as caught:
        tiny_train(tmp_path, tiny_config(max_steps=100, save_steps=2), family=family)
    assert "learning_rate" in caught.value.fix
    assert all(torch.isfinite(value).all() for value in weights(family).values())
