"""A training ends where its error rate has stopped falling, and again there when it was killed."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace

import pytest
import torch
from training_fakes import TinyPlan, tiny_config, tiny_train, weights
from transformers import EarlyStoppingCallback

STEPS = 12
NAN = float("nan")


def measured_as(rates):
    """An evaluation that gives one rate after another, by the step it is asked at."""
    return lambda step: {"eval_wer": rates[step - 1]}


def stop_of_transformers(rates, patience, threshold, *, greater=False):
    """The evaluation after which transformers' own callback would end the training."""
    callback = EarlyStoppingCallback(patience, threshold)
    arguments = SimpleNamespace(metric_for_best_model="wer", greater_is_better=greater)
    state = SimpleNamespace(best_metric=None)
    for step, rate in enumerate(rates, start=1):
        control = SimpleNamespace(should_training_stop=False)
        callback.on_evaluate(arguments, state, control, {"eval_wer": rate})
        better = state.best_metric is None or (rate > state.best_metric) == greater
        if better and rate != state.best_metric:
            state.best_metric = rate
        if control.should_training_stop:
            return step
    return len(rates)


@pytest.mark.parametrize(
    ("rates", "patience", "threshold", "greater"),
    [
        ([0.9, 0.8, 0.8, 0.7, 0.75, 0.7, 0.6, 0.65, 0.6, 0.61, 0.5, 0.4], 3, 0.0, False),
        ([0.9, 0.89, 0.88, 0.87, 0.5, 0.49, 0.48, 0.2, 0.1, 0.1, 0.1, 0.1], 2, 0.05, False),
        ([0.1, 0.2, 0.15, 0.19, 0.3, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], 2, 0.0, True),
        ([0.9 - 0.05 * step for step in range(STEPS)], 1, 0.0, False),
    ],
)
def test_it_stops_where_transformers_own_callback_does(
    tmp_path, rates, patience, threshold, greater
):
    expected = stop_of_transformers(rates, patience, threshold, greater=greater)
    config = tiny_config(
        max_steps=STEPS, eval_steps=1, early_stopping_patience=patience,
        early_stopping_threshold=threshold, greater_is_better=greater,
    )  # fmt: skip
    _, result = tiny_train(tmp_path / "model", config, evaluate=measured_as(rates))
    assert result.steps == expected
    assert not result.interrupted


def test_the_best_checkpoint_is_the_model_and_the_last_step_is_saved_too(tmp_path, capsys):
    rates = [0.9, 0.5, 0.6, 0.7, *[0.1] * 8]
    config = tiny_config(max_steps=STEPS, eval_steps=1, save_steps=1, early_stopping_patience=2)
    _, result = tiny_train(tmp_path / "model", config, evaluate=measured_as(rates))
    assert (result.steps, result.best_score) == (4, 0.5)
    assert result.best_checkpoint == tmp_path / "model" / "checkpoint-2"
    assert (tmp_path / "model" / "checkpoint-4").is_dir()
    said = " ".join(capsys.readouterr().out.split())
    assert "Stopping early: 2 evaluation(s) in a row did not improve on step 2" in said


def test_a_rate_that_is_not_a_number_improves_nothing(tmp_path):
    config = tiny_config(max_steps=STEPS, eval_steps=1, early_stopping_patience=2)
    rates = [0.9, NAN, NAN, *[0.1] * 9]
    _, result = tiny_train(tmp_path / "model", config, evaluate=measured_as(rates))
    assert result.steps == 3


class StopOnce(TinyPlan):
    """Asks the training to stop while a step's batch is planned."""

    armed = True

    def batch(self, epoch, index, rank=0):
        if self.armed and (epoch, index) == (0, 2):
            self.armed = False
            os.kill(os.getpid(), signal.SIGTERM)
        return super().batch(epoch, index, rank)


def test_what_was_counted_before_an_interruption_counts_after_it(tmp_path):
    rates = [0.5, 0.6, 0.6, 0.6, 0.6, *[0.1] * 7]
    config = tiny_config(max_steps=STEPS, eval_steps=1, early_stopping_patience=4)
    straight, untouched = tiny_train(tmp_path / "a", config, evaluate=measured_as(rates))
    _, stopped = tiny_train(
        tmp_path / "b", config, plan=StopOnce(20, 4, 42), evaluate=measured_as(rates)
    )
    assert stopped.interrupted and 1 < stopped.steps < 5
    resumed, result = tiny_train(
        tmp_path / "b", config, evaluate=measured_as(rates),
        resume=tmp_path / "b" / f"checkpoint-{stopped.steps}",
    )  # fmt: skip
    assert untouched.steps == result.steps == 5
    assert result.history == untouched.history
    assert all(torch.equal(weights(resumed)[n], v) for n, v in weights(straight).items())


def test_resumed_where_it_stopped_it_takes_no_step_and_with_more_patience_it_continues(tmp_path):
    rates = [0.5, 0.6, 0.6, 0.6, *[0.1] * 8]
    config = tiny_config(max_steps=STEPS, eval_steps=1, early_stopping_patience=2)
    _, first = tiny_train(tmp_path / "model", config, evaluate=measured_as(rates))
    assert first.steps == 3
    last = tmp_path / "model" / "checkpoint-3"
    _, again = tiny_train(tmp_path / "model", config, evaluate=measured_as(rates), resume=last)
    assert again.steps == 3 and again.history == first.history
    patient = tiny_config(max_steps=STEPS, eval_steps=1, early_stopping_patience=9)
    _, more = tiny_train(tmp_path / "model", patient, evaluate=measured_as(rates), resume=last)
    assert more.steps == STEPS
