"""Trackers get a training's curves, continue them after a resume, and never end it."""

from __future__ import annotations

import os
import signal

import pytest
from training_fakes import TinyPlan, tiny_config, tiny_train
from transformers import TrainerCallback
from transformers.integrations import integration_utils

from mynah.config.derived import with_derived
from mynah.config.schema import Config
from mynah.runs.directory import log_directory
from mynah.training import trackers


class Server(TrainerCallback):
    """What a tracker's server would hold: points by run, in the order they came."""

    points: dict[str, list[tuple[int, dict]]]
    fails_at: str | None = None

    def __init__(self) -> None:
        self._fail("made")

    def _fail(self, event):
        if type(self).fails_at == event:
            raise ConnectionError("no route to host")

    def on_train_begin(self, args, state, control, **kwargs):
        self._fail("begin")
        self.run = os.environ.get("WANDB_RUN_ID", args.run_name)
        type(self).points.setdefault(self.run, [])

    def on_log(self, args, state, control, logs=None, **kwargs):
        self._fail("log")
        learned = {name: value for name, value in logs.items() if name != "loader_wait"}
        self.points[self.run].append((state.global_step, learned))

    def on_train_end(self, args, state, control, **kwargs):
        self._fail("end")


@pytest.fixture(params=["wandb", "trackio"])
def server(request, monkeypatch):
    """A stand-in for a tracker with a server of its own."""
    name = request.param
    made = type("Made", (Server,), {"points": {}})
    monkeypatch.setitem(integration_utils.INTEGRATION_TO_CALLBACK, name, made)
    for variable in ("WANDB_RUN_ID", "WANDB_PROJECT", "WANDB_DIR", "WANDB_RESUME"):
        monkeypatch.setenv(variable, "")  # restored afterwards
        monkeypatch.delenv(variable)
    made.tracker = name
    return made


def new_process(monkeypatch):
    monkeypatch.delenv("WANDB_RUN_ID", raising=False)


class KillingPlan(TinyPlan):
    """Ends the training, as a kill would, when the batch of a step is planned."""

    def batch(self, epoch, index, rank=0):
        if (epoch, index) == (1, 2):
            raise KeyboardInterrupt
        return super().batch(epoch, index, rank)


def test_a_resumed_run_continues_its_curve_and_reports_no_step_twice(tmp_path, server, monkeypatch):
    config = tiny_config(report_to=[server.tracker], logging_steps=1, save_steps=4)
    straight = tmp_path / "straight" / "model"
    tiny_train(straight, config)
    ((_, expected),) = server.points.items()
    server.points.clear()
    new_process(monkeypatch)
    output = tmp_path / "killed" / "model"
    with pytest.raises(KeyboardInterrupt):  # at step 8 of which 4 is saved and 7 was reported
        tiny_train(output, config, plan=KillingPlan(20, 4, 42))
    ((run, reported),) = server.points.items()
    assert reported[-1][0] == 7
    new_process(monkeypatch)
    tiny_train(output, config, resume=output / "checkpoint-4")
    assert list(server.points) == [run], "it is a new run"
    assert server.points[run] == expected


def test_another_course_has_a_curve_of_its_own(tmp_path, server, monkeypatch, capsys):
    output = tmp_path / "run" / "model"
    config = tiny_config(report_to=[server.tracker], logging_steps=1, save_steps=4)
    tiny_train(output, config)
    ((first, before),) = server.points.items()
    before = list(before)
    runs = [first]
    for _ in range(2):
        new_process(monkeypatch)
        tiny_train(output, config, resume=output / "checkpoint-4")
        assert server.points[first] == before
        (run,) = set(server.points) - set(runs)
        runs.append(run)
        assert [step for step, _ in server.points[run] if step <= 4] == []
        assert {step for step, _ in server.points[run]} == {5, 6, 7, 8}
    said = " ".join(capsys.readouterr().out.split())
    assert said.count(f"A run of its own from step 4 on, in {server.tracker}") == 2


def test_a_record_of_trackers_that_cannot_be_written_ends_no_training(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "trackers.json").write_text('{"wandb": {"name": "n", "step": 9}}')

    def full(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(trackers, "write_json", full)
    assert trackers.begin_course(tmp_path, 4) == []
    said = " ".join(capsys.readouterr().out.split())
    assert "trackers.json cannot be written" in said and "No space left" in said


def test_an_evaluation_that_was_cut_short_is_on_the_curve_of_the_resumed_run(
    tmp_path, server, monkeypatch, capsys
):
    calls = []

    def stopped_once(step):
        calls.append(step)
        if calls == [4]:
            os.kill(os.getpid(), signal.SIGTERM)
        return {"eval_wer": 1.0 / step}

    config = tiny_config(report_to=[server.tracker], logging_steps=1)
    tiny_train(tmp_path / "a" / "model", config, evaluate=lambda step: {"eval_wer": 1.0 / step})
    ((_, expected),) = server.points.items()
    server.points.clear()
    new_process(monkeypatch)
    output = tmp_path / "b" / "model"
    _, stopped = tiny_train(output, config, evaluate=stopped_once)
    assert stopped.interrupted and stopped.steps == 4
    ((run, _),) = server.points.items()
    new_process(monkeypatch)
    tiny_train(output, config, evaluate=stopped_once, resume=output / "checkpoint-4")
    assert calls == [4, 4, 8]
    assert "failed" not in capsys.readouterr().out
    assert server.points == {run: expected}


@pytest.mark.parametrize("event", ["made", "begin", "log", "end"])
def test_a_tracker_that_fails_is_said_once_and_the_training_continues(
    tmp_path, server, event, capsys
):
    server.fails_at = event
    _, result = tiny_train(tmp_path / "model", tiny_config(report_to=[server.tracker]))
    assert result.steps == 8 and not result.interrupted
    said = capsys.readouterr().out
    assert said.count(f"The tracker {server.tracker} failed") == 1
    assert "no route to host" in said


def test_tensorboard_forgets_what_a_killed_run_reported_after_its_checkpoint(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = tiny_config(report_to=["tensorboard"], logging_steps=1, save_steps=4)
    output = tmp_path / "model"
    with pytest.raises(KeyboardInterrupt):
        tiny_train(output, config, plan=KillingPlan(20, 4, 42))
    tiny_train(output, config, resume=output / "checkpoint-4")
    curves = EventAccumulator(str(tmp_path / "tensorboard"))
    curves.Reload()
    assert [point.step for point in curves.Scalars("train/loss")] == list(range(1, 9))


def test_a_stopped_run_leaves_the_signals_to_the_trainer(tmp_path, server):
    class Stopping(TinyPlan):
        def batch(self, epoch, index, rank=0):
            if (epoch, index) == (0, 2):
                os.kill(os.getpid(), signal.SIGTERM)
            return super().batch(epoch, index, rank)

    config = tiny_config(report_to=[server.tracker])
    _, result = tiny_train(tmp_path / "model", config, plan=Stopping(20, 4, 42))
    assert result.interrupted


def test_curves_lie_in_the_runs_directory_or_in_an_output_directory_of_its_own(tmp_path):
    assert log_directory(tmp_path / "run" / "model") == tmp_path / "run"
    assert log_directory(tmp_path / "models" / "mine") == tmp_path / "models" / "mine"


def test_tensorboard_is_on_where_it_is_installed_and_nobody_chose(monkeypatch):
    assert with_derived(Config()).training.report_to == ["tensorboard"]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert with_derived(Config()).training.report_to == []
