"""Steps by the hours of one's own corpus, on paper: 3 epochs, within a floor and a ceiling."""

import dataclasses
from types import SimpleNamespace

import pytest

from mynah.config.schema import Config
from mynah.training.settled import with_steps


def settled(batches, *, pretrained="", **training):
    config = Config()
    config = dataclasses.replace(
        config,
        training=dataclasses.replace(config.training, **({"max_steps": None} | training)),
        model=dataclasses.replace(config.model, pretrained=pretrained or None),
    )
    return with_steps(config, SimpleNamespace(batches_per_epoch=batches), 2.5).training.max_steps


@pytest.mark.parametrize(
    ("batches", "pretrained", "steps"),
    [
        (10, "a/model", 300),  # 30 would be 3 epochs
        (10, "", 1400),
        (450, "a/model", 1350),
        (450, "", 1400),
        (1000, "", 3000),
        (100_000, "a/model", 5000),
    ],
)
def test_steps_are_three_epochs_within_bounds(batches, pretrained, steps):
    assert settled(batches, pretrained=pretrained) == steps


def test_batches_that_make_a_step_and_other_epochs_count():
    assert settled(1001, pretrained="a/model", gradient_accumulation_steps=2) == 1503
    assert settled(1000, pretrained="a/model", num_train_epochs=1.5) == 1500


def test_the_rule_is_said_and_what_is_typed_is_left(capsys):
    settled(450, pretrained="a/model")
    said = capsys.readouterr().out
    assert "Steps: 3 epochs of 2.50 hours are 1,350; 300 at least and 5,000 at most: 1,350" in said
    assert settled(450, max_steps=7) == 7 and settled(450, max_steps=-1) == -1
    assert not capsys.readouterr().out
