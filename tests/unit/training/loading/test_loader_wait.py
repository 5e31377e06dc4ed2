"""How long a training waits for data, by a clock of the test's own."""

import pytest

from mynah.training.loading import loader_wait
from mynah.training.loading.loader_wait import LoaderWait


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    made = Clock()
    monkeypatch.setattr(loader_wait, "time", made)
    return made


def train(wait, clock, *, steps, waits, works):
    for _ in range(steps):
        with wait.waiting():
            clock.now += waits
        clock.now += works


def test_the_share_is_that_of_waiting_and_working(clock):
    wait = LoaderWait(1)
    train(wait, clock, steps=101, waits=0.1, works=0.9)
    # The first batch is not counted, and the work after it is.
    assert wait.share == pytest.approx(10 / (100 + 0.9), rel=1e-6)


def test_a_log_line_tells_of_the_steps_since_the_last(clock):
    wait = LoaderWait(1)
    train(wait, clock, steps=11, waits=0.0, works=1.0)
    assert wait.since_last() == 0.0
    train(wait, clock, steps=10, waits=1.0, works=1.0)
    assert wait.since_last() == pytest.approx(0.5)
    assert 0.2 < wait.share < 0.4


def test_an_evaluation_counts_as_neither(clock):
    wait = LoaderWait(1)
    train(wait, clock, steps=11, waits=0.5, works=0.5)
    before = wait.share
    clock.now += 1000
    wait.add_pause(1000)
    assert wait.share == pytest.approx(before)


def test_nothing_is_waited_for_before_anything_is_trained():
    assert LoaderWait(0).share == 0.0 and LoaderWait(0).since_last() == 0.0


@pytest.mark.parametrize(("workers", "advice"), [(0, "dataloader_num_workers=1"), (64, "disk")])
def test_much_waiting_is_said_once_with_advice(clock, capsys, monkeypatch, workers, advice):
    monkeypatch.setattr(loader_wait.os, "cpu_count", lambda: 16)
    wait = LoaderWait(workers)
    train(wait, clock, steps=10, waits=0.5, works=0.5)
    wait.advise()
    assert not capsys.readouterr().out  # ten seconds are too few to tell
    train(wait, clock, steps=60, waits=0.5, works=0.5)
    wait.advise()
    wait.advise()
    said = capsys.readouterr().out
    assert said.count("waits for data") == 1 and advice in said


def test_little_waiting_is_not_worth_a_word(clock, capsys):
    wait = LoaderWait(1)
    train(wait, clock, steps=200, waits=0.05, works=0.95)
    wait.advise()
    assert not capsys.readouterr().out
