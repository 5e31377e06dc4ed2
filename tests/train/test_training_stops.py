"""A training that is stopped, by whom or what ever, ends in a checkpoint and resumes from it."""

from __future__ import annotations

import os
import signal
import stat
import time

import pytest
import torch
from training_fakes import TinyCorpus, TinyFamily, TinyPlan, tiny_config, tiny_train, weights

from mynah.evaluation.decoding.decode import decode
from mynah.stopping.polling import poll
from mynah.training.guards import slurm
from mynah.training.guards import time_limit as time_limits
from mynah.training.guards.stops import EvaluationStopped, StopRequest
from mynah.training.guards.time_limit import TimeLimit, time_limit


class SignallingPlan(TinyPlan):
    """Sends this process signals when the batch of a step is planned."""

    def __init__(self, *args, signals, at=(0, 3), **options):
        super().__init__(*args, **options)
        self.signals, self.at = signals, at

    def batch(self, epoch, index, rank=0):
        if (epoch, index) == self.at:
            for number in self.signals:
                os.kill(os.getpid(), number)
        return super().batch(epoch, index, rank)


class Clock:
    """What a time limit takes for the time: it passes when a test says so."""

    def __init__(self):
        self.seconds = 0.0

    def monotonic(self):
        return self.seconds

    def passes(self, seconds):
        self.seconds += seconds
        time.sleep(0.1)  # for the thread that watches the clock to look at it


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time_limits, "time", clock)
    monkeypatch.setattr(time_limits, "_LOOK_SECONDS", 0.005)
    return clock


class SlowPlan(TinyPlan):
    """Ten minutes pass over every batch."""

    def __init__(self, *args, clock, **options):
        super().__init__(*args, **options)
        self.clock = clock

    def batch(self, epoch, index, rank=0):
        self.clock.passes(600)
        return super().batch(epoch, index, rank)


@pytest.fixture
def scontrol(tmp_path, monkeypatch):
    """A SLURM job, and a scontrol that writes down how it is called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    calls = tmp_path / "calls"
    program = folder / "scontrol"
    program.write_text(f'#!/bin/sh\necho "$@" >> {calls}\nexit ${{SCONTROL_STATUS:-0}}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    for name in ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_JOB_END_TIME"):
        monkeypatch.delenv(name, raising=False)
    return lambda: calls.read_text().splitlines() if calls.exists() else []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_stopped_training_resumes_to_the_same_weights(tmp_path, number):
    config = tiny_config()
    straight, _ = tiny_train(tmp_path / "straight", config)
    plan = SignallingPlan(20, 4, 42, signals=[number])
    _, stopped = tiny_train(tmp_path / "model", config, plan=plan)
    assert stopped.interrupted and stopped.stopped_by == signal.Signals(number).name
    assert stopped.steps < 8
    resumed, result = tiny_train(
        tmp_path / "model", config, resume=tmp_path / "model" / f"checkpoint-{stopped.steps}"
    )
    assert result.steps == 8 and result.stopped_by is None
    assert all(torch.equal(value, weights(resumed)[n]) for n, value in weights(straight).items())


@pytest.fixture
def unsilenced():
    """SIGHUP as a terminal gives it: under nohup it would stay silent."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_evaluation_is_left_in_the_middle_of_a_batch(tmp_path, number, unsilenced):
    def transcribe(clips):
        os.kill(os.getpid(), number)
        for _ in range(600):  # a model that writes without end
            time.sleep(0.1)
        raise AssertionError("the batch was decoded to its end")

    torch.manual_seed(3)
    family = TinyFamily()
    family.transcribe = transcribe
    corpus = TinyCorpus()

    def evaluate(step):
        decode(family, corpus, batch_size=4, batch_seconds=1.0, progress=False)

    started = time.monotonic()
    config = tiny_config(eval_steps=2)
    _, stopped = tiny_train(tmp_path, config, family=family, evaluate=evaluate)
    assert time.monotonic() - started < 30
    assert stopped.interrupted and stopped.stopped_by == signal.Signals(number).name
    assert stopped.steps == 2 and stopped.best_checkpoint == tmp_path / "checkpoint-2"


def test_of_several_processes_an_evaluation_is_left_only_where_it_looks(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    stop, reached = StopRequest(), []
    with stop.listening(), pytest.raises(EvaluationStopped), stop.evaluating():
        poll()
        os.kill(os.getpid(), signal.SIGTERM)
        reached.append("what the processes tell each other")
        poll()
    assert reached == ["what the processes tell each other"]
    poll()  # outside of an evaluation it asks nothing


def test_a_time_limit_stops_in_time_with_a_checkpoint_and_the_rest_is_done_later(
    tmp_path, capsys, clock
):
    straight, _ = tiny_train(tmp_path / "straight", tiny_config(max_steps=30))
    config = tiny_config(max_steps=30, max_time="2h")
    plan = SlowPlan(20, 4, 42, clock=clock)
    _, stopped = tiny_train(tmp_path / "model", config, plan=plan)
    assert clock.seconds <= 7200
    assert stopped.interrupted and stopped.stopped_by == "training.max_time"
    assert 0 < stopped.steps < 30
    assert "training.max_time: saving a checkpoint and stopping" in capsys.readouterr().out
    checkpoint = tmp_path / "model" / f"checkpoint-{stopped.steps}"
    resumed, result = tiny_train(tmp_path / "model", tiny_config(max_steps=30), resume=checkpoint)
    assert result.steps == 30
    assert all(torch.equal(value, weights(resumed)[n]) for n, value in weights(straight).items())


def test_a_time_limit_leaves_an_evaluation_to_the_resumed_training(tmp_path, clock):
    def endless(step):
        for _ in range(1000):
            clock.passes(600)
        return {"eval_wer": 0.5}

    config = tiny_config(max_time="1h", eval_steps=2, save_steps=2)
    _, stopped = tiny_train(tmp_path / "model", config, evaluate=endless)
    assert stopped.interrupted and stopped.steps == 2
    _, resumed = tiny_train(
        tmp_path / "model",
        tiny_config(eval_steps=2, save_steps=2),
        resume=tmp_path / "model" / "checkpoint-2",
    )
    assert [entry["step"] for entry in resumed.history if "eval_wer" in entry] == [2, 4, 6, 8]


def test_what_was_spent_before_the_training_counts_too():
    limit = time_limit(tiny_config(max_time="1h").training, elapsed_seconds=3000, ask=print)
    assert 500 < limit.seconds_left < 600
    assert time_limit(tiny_config().training, elapsed_seconds=0, ask=print) is None


def test_room_is_left_for_the_longest_step_and_save_seen():
    limit = TimeLimit(10_000, "limit", print)
    before = limit.seconds_left
    limit.took(step_seconds=100)
    limit.took(step_seconds=50, save_seconds=200)
    assert before - limit.seconds_left == pytest.approx(2 * 100 + 1.5 * 200, abs=1)


def test_the_end_of_a_slurm_job_is_a_limit_by_itself(monkeypatch, scontrol):
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(time.time() + 7200))
    limit = time_limit(tiny_config().training, elapsed_seconds=0, ask=print)
    assert limit.name == slurm.TIME_LIMIT and 7000 < limit.seconds_left < 7200
    shorter = time_limit(tiny_config(max_time="30m").training, elapsed_seconds=0, ask=print)
    assert shorter.name == "training.max_time"


def test_a_signal_that_a_launcher_hands_on_is_not_a_second_one(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "run")
    stop = StopRequest()
    with stop.listening():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
    assert stop.requested and stop.reason == "SIGTERM"


def test_slurms_kill_after_its_warning_does_not_end_the_save():
    stop = StopRequest()
    with stop.listening():
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.reason == "SIGUSR1"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize(
    ("reason", "requeued"),
    [("SIGUSR1", True), (slurm.TIME_LIMIT, True), ("training.max_time", True), ("SIGTERM", False)],
)
def test_a_job_out_of_time_is_requeued_and_a_cancelled_one_is_not(scontrol, reason, requeued):
    assert slurm.may_requeue(reason) == requeued
    assert slurm.requeue()
    assert scontrol() == ["requeue 4711"]


def test_outside_of_slurm_nothing_is_requeued(monkeypatch):
    for name in ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"):
        monkeypatch.delenv(name, raising=False)
    assert not slurm.may_requeue("SIGUSR1")


def test_of_an_array_the_task_is_requeued(scontrol, monkeypatch):
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "4000")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "7")
    assert slurm.requeue()
    assert scontrol() == ["requeue 4000_7"]


def test_a_requeue_that_slurm_refuses_is_said(scontrol, monkeypatch, capsys):
    monkeypatch.setenv("SCONTROL_STATUS", "1")
    assert not slurm.requeue()
    assert "SLURM did not requeue job 4711" in capsys.readouterr().out
