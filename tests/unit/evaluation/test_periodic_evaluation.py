"""Which measurement of a training stands for its model."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mynah.config.schema import Config
from mynah.evaluation import splits


@pytest.fixture
def periodic(monkeypatch):
    measured = SimpleNamespace(scores=SimpleNamespace(summary=lambda: {"wer": 0.5}), hypotheses=[])
    monkeypatch.setattr(splits, "evaluate_split", lambda *_, **__: measured)
    monkeypatch.setattr(splits, "check_n_best", lambda *_: None)

    def made(config):
        return splits.PeriodicEvaluation(config, None, {"dev": None, "test": None})

    return made


def test_it_is_that_of_the_step_alone_whose_checkpoint_it_is(periodic):
    made = periodic(Config())
    assert made.of_step(0) == {}
    assert made(40) == {"eval_wer": 0.5, "eval_test_wer": 0.5}
    assert made(80)
    assert list(made.of_step(80)) == ["dev", "test"]
    assert made.of_step(40) == made.of_step(None) == {}


def test_one_that_is_cut_short_is_none(periodic, monkeypatch):
    made = periodic(Config())
    made(40)

    def stop(*_, name, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(splits, "evaluate_split", stop)
    with pytest.raises(KeyboardInterrupt):
        made(40)
    assert made.of_step(40) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [("bf16", True), ("fp16", True), ("torch_compile", True), ("fsdp", True),
     ("gradient_checkpointing", True), ("sequence_packing", "mask")],
)  # fmt: skip
def test_a_model_that_computes_otherwise_while_it_trains_is_measured_again(periodic, name, value):
    config = Config()
    setattr(config.training, name, value)
    made = periodic(config)
    made(40)
    assert made.of_step(40) == {}
