"""Encoder and decoder learn at rates of their own, with any optimizer, and after a resume."""

from __future__ import annotations

import pytest
import torch
from test_training_resume import StoppingPlan, assert_same_end
from tiny_models import tiny
from training_fakes import RATE, TinyCorpus, TinyFamily, tiny_config, tiny_train, weights

from mynah.errors import UserError
from mynah.models import registry


class TwoParts(TinyFamily):
    """The tiny family; its recurrent layer is the encoder."""

    def part_of(self, name):
        return "decoder" if name.startswith("head.") else "encoder"


def two_parts():
    torch.manual_seed(3)
    return TwoParts(dropout=0.0)


def moved(output, **training):
    """How far each weight went in one step at a constant rate."""
    config = tiny_config(
        max_steps=1, lr_scheduler_type="constant", warmup_steps=0, weight_decay=0.0, **training
    )
    family = two_parts()
    before = weights(family)
    tiny_train(output, config, family=family)
    return {name: tensor - before[name] for name, tensor in weights(family).items()}


@pytest.mark.parametrize("optim", ["sgd", "adamw_torch", "muon"])
def test_a_part_goes_as_far_as_its_own_rate_says(optim, tmp_path):
    together = moved(tmp_path / "a", optim=optim)
    apart = moved(
        tmp_path / "b", optim=optim, encoder_learning_rate=0.0025, decoder_learning_rate=0.02
    )
    for name, step in together.items():
        scale = 2.0 if name.startswith("head.") else 0.25
        torch.testing.assert_close(apart[name], scale * step, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("optim", ["adamw_torch", "muon"])
def test_a_part_without_a_rate_learns_as_if_no_part_had_one(optim, tmp_path):
    together = moved(tmp_path / "a", optim=optim)
    apart = moved(tmp_path / "b", optim=optim, encoder_learning_rate=0.0)
    for name, step in together.items():
        expected = step if name.startswith("head.") else torch.zeros_like(step)
        assert torch.equal(apart[name], expected)


@pytest.mark.parametrize("optim", ["adamw_torch", "muon"])
def test_a_resumed_training_continues_at_every_parts_rate(optim, tmp_path):
    config = tiny_config(optim=optim, encoder_learning_rate=1e-3, decoder_learning_rate=3e-2)
    straight = tiny_train(tmp_path / "a", config, family=two_parts())
    plan = StoppingPlan(20, 4, config.training.seed, at=(0, 3))
    _, stopped = tiny_train(tmp_path / "b", config, family=two_parts(), plan=plan)
    assert stopped.interrupted
    resume = tmp_path / "b" / f"checkpoint-{stopped.steps}"
    resumed = tiny_train(tmp_path / "b", config, family=two_parts(), resume=resume)
    assert_same_end(straight, resumed, tmp_path / "a", tmp_path / "b")


def test_a_resumed_training_at_another_rate_of_a_part_is_refused_by_name(tmp_path):
    tiny_train(tmp_path, tiny_config(max_steps=1, encoder_learning_rate=1e-3), family=two_parts())
    with pytest.raises(UserError, match=r"training\.encoder_learning_rate: 0\.001 in the"):
        tiny_train(tmp_path, tiny_config(max_steps=2), resume=tmp_path / "checkpoint-1")


def test_the_rate_that_is_logged_is_that_of_no_part(tmp_path):
    config = tiny_config(
        encoder_learning_rate=1e-3, lr_scheduler_type="constant", warmup_steps=0, eval_strategy="no"
    )
    _, result = tiny_train(tmp_path, config, family=two_parts())
    assert {entry["learning_rate"] for entry in result.history if "loss" in entry} == {0.01}


@pytest.mark.long
def test_a_speech_llm_of_which_every_part_learns_in_its_own_way_resumes_exactly(
    checkpoints, tmp_path
):
    settings = tiny(
        decoder_model_name=str(checkpoints("chat_lm")),
        use_lora=True,
        lora_dropout=0.1,
        new_tokens=["<laughter>"],
        ctc_head_weight=0.3,
        tokenizer="character",
    )

    def family():
        torch.manual_seed(0)
        return registry.build(settings, texts=TinyCorpus().texts, sample_rate=RATE, offline=True)

    config = tiny_config(max_steps=4, encoder_learning_rate=1e-3, projector_learning_rate=1e-4)
    straight = tiny_train(tmp_path / "a", config, family=family())
    plan = StoppingPlan(20, 4, config.training.seed, at=(0, 2))
    _, stopped = tiny_train(tmp_path / "b", config, family=family(), plan=plan)
    assert stopped.interrupted
    resume = tmp_path / "b" / f"checkpoint-{stopped.steps}"
    resumed = tiny_train(tmp_path / "b", config, family=family(), resume=resume)
    assert_same_end(straight, resumed, tmp_path / "a", tmp_path / "b")
