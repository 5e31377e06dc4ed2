"""auto: the largest budget that fits a fake GPU, a rule elsewhere, the same after a resume."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from dry_step_fakes import FakeCorpus, FakeFamily, configured
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mynah.config.effective import effective_yaml
from mynah.config.hydra.compose import compose
from mynah.data.batches import BatchPlan
from mynah.errors import ConfigErrors, UserError
from mynah.training.resuming.resume import ABOUT_NAME
from mynah.training.sizing import batch_size
from mynah.training.sizing.batch_size import (
    affordable_budget,
    batch_plan,
    kept_bytes,
    largest_budget,
    with_batch_size,
)

DURATIONS = np.random.default_rng(0).uniform(1.0, 12.0, 4000)
AUTO = {"per_device_train_batch_size": "auto"}


class Meter:
    """A device on which a batch takes memory in proportion to its padded seconds."""

    def __init__(self, durations: np.ndarray, capacity: float) -> None:
        self.durations, self.capacity, self.tried = durations, capacity, 0

    def fits(self, rows):
        self.tried += 1
        return len(rows) * self.durations[list(rows)].max() <= self.capacity


def plan_of(durations, **options):
    return BatchPlan(durations, seed=0, batch_seconds=60.0, batch_size=None, **options)


@hypothesis_settings(max_examples=25, deadline=None)
@given(st.floats(12.5, 490.0))
def test_the_budget_that_is_found_fits_and_a_little_more_does_not(capacity):
    plan = plan_of(DURATIONS)
    meter = Meter(DURATIONS, capacity)
    found = largest_budget(plan, DURATIONS, meter.fits)
    assert found is not None and found == int(found)
    assert all(meter.fits(rows) for rows in plan.resized(found).costliest_batches())
    if found < 470:  # below the most that leaves an epoch fifty steps
        more = float(np.ceil(found * 1.05))
        assert not all(meter.fits(rows) for rows in plan.resized(more).costliest_batches())
    assert meter.tried < 25
    assert largest_budget(plan, DURATIONS, Meter(DURATIONS, capacity).fits) == found


def test_where_not_even_one_row_fits_nothing_is_found():
    assert largest_budget(plan_of(DURATIONS), DURATIONS, lambda rows: False) is None


def test_where_everything_fits_an_epoch_keeps_fifty_steps():
    durations = np.random.default_rng(0).uniform(10.0, 10.2, 4000)
    plan = plan_of(durations)
    found = largest_budget(plan, durations, lambda rows: True)
    assert 50 <= plan.resized(found).batches_per_epoch < 65
    ranks = plan_of(durations, world_size=4)
    shared = largest_budget(ranks, durations, lambda rows: True)
    assert 50 <= ranks.resized(shared).batches_per_epoch < 65


class FakeSteps:
    """Dry steps on a GPU that is not there."""

    device = torch.device("cuda")

    def __init__(self, durations, capacity):
        self.durations, self.capacity, self.spared = durations, capacity, set()

    def run_worst(self, rows, *, spare_bytes):
        self.spared.add(spare_bytes)
        if len(rows) * self.durations[list(rows)].max() > self.capacity:
            raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.fixture
def gpu(monkeypatch):
    class Properties:
        total_memory = 1000

    released = []
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: Properties())
    monkeypatch.setattr(batch_size.memory, "release_unused", released.append)
    return released


def test_on_a_gpu_out_of_memory_is_an_answer_and_a_tenth_is_left_free(gpu):
    steps = FakeSteps(DURATIONS, 200.0)
    found = batch_size._largest_on_gpu(steps, plan_of(DURATIONS), FakeCorpus(DURATIONS))
    assert 180 <= found <= 210
    assert steps.spared == {100}
    assert len(gpu) > 1


def test_another_error_on_a_gpu_is_not_an_answer(gpu):
    class Broken(FakeSteps):
        def run_worst(self, rows, *, spare_bytes):
            raise RuntimeError("CUDA error: device-side assert triggered")

    with pytest.raises(RuntimeError, match="assert"):
        batch_size._largest_on_gpu(
            Broken(DURATIONS, 1.0), plan_of(DURATIONS), FakeCorpus(DURATIONS)
        )


def test_a_gpu_too_small_for_one_utterance_is_said_with_the_utterance(gpu):
    corpus = FakeCorpus(DURATIONS)
    with pytest.raises(UserError) as raised:
        batch_size._largest_on_gpu(FakeSteps(DURATIONS, 0.5), plan_of(DURATIONS), corpus)
    assert f"u{DURATIONS.argmax()}" in raised.value.where
    assert "data.max_audio_seconds" in raised.value.fix


def test_elsewhere_auto_is_batch_seconds_where_memory_is_ample(monkeypatch):
    monkeypatch.setattr(batch_size.memory, "free_bytes", lambda device: 2**40)
    made = with_batch_size(
        configured(batch_seconds=33.0, **AUTO), FakeFamily(), FakeCorpus(DURATIONS), resume=None
    )
    assert made.training.batch_seconds == 33.0
    assert made.training.per_device_train_batch_size is None
    assert "auto" not in effective_yaml(made).partition("per_device_train_batch_size")[2][:12]


def test_elsewhere_less_memory_gives_smaller_batches(monkeypatch):
    found = []
    for free in (10**6, 2 * 10**6, 3 * 10**6):
        monkeypatch.setattr(batch_size.memory, "free_bytes", lambda device, free=free: free)
        made = with_batch_size(
            configured(batch_seconds=500.0, **AUTO),
            FakeFamily(),
            FakeCorpus(DURATIONS),
            resume=None,
        )
        found.append(made.training.batch_seconds)
    assert 5 <= found[0] < found[1] < found[2] < 500


def test_what_is_affordable_follows_the_line_through_two_steps():
    # 100 bytes, and 10 a second
    measured = [(5.0, 150.0), (10.0, 200.0)]
    assert affordable_budget(measured, 500.0, at_most=1000.0) == pytest.approx(40.0)
    assert affordable_budget(measured, 500.0, at_most=30.0) == 30.0
    assert affordable_budget(measured, 50.0, at_most=1000.0) == 10.0
    same = [(10.0, 200.0), (10.0, 200.0)]
    assert affordable_budget(same, 500.0, at_most=1000.0) == pytest.approx(25.0)


def test_the_bytes_kept_for_the_backward_pass_are_counted_without_the_weights():
    model = torch.nn.Linear(8, 16)
    recognized = torch.ones(4, 8)

    def step():
        model(recognized).relu().sum().backward()

    # The input for the weight's gradient, the output of ReLU for its own.
    assert kept_bytes(model, step) == 4 * (4 * 8 + 4 * 16)


def test_a_resumed_training_takes_what_it_began_with(tmp_path):
    settings = {"training.per_device_train_batch_size": None, "training.batch_seconds": 417.0}
    (tmp_path / ABOUT_NAME).write_text(json.dumps({"training": {"settings": settings}}))
    made = with_batch_size(configured(**AUTO), FakeFamily(), FakeCorpus(DURATIONS), resume=tmp_path)
    assert made.training.batch_seconds == 417.0
    assert made.training.per_device_train_batch_size is None
    settings = {"training.per_device_train_batch_size": 6}
    (tmp_path / ABOUT_NAME).write_text(json.dumps({"training": {"settings": settings}}))
    made = with_batch_size(configured(**AUTO), FakeFamily(), FakeCorpus(DURATIONS), resume=tmp_path)
    assert made.training.per_device_train_batch_size == 6


@pytest.mark.parametrize("size", [None, 3])
def test_a_batch_size_that_is_given_is_taken(size):
    config = configured(per_device_train_batch_size=size, batch_seconds=30.0)
    assert with_batch_size(config, FakeFamily(), FakeCorpus(DURATIONS), resume=None) is config
    plan = batch_plan(FakeCorpus(DURATIONS), config)
    most = max(len(plan.batch(0, index)) for index in range(plan.batches_per_epoch))
    assert most == 3 if size else most > 10


def test_the_dry_steps_of_auto_leave_the_model_as_it_was(monkeypatch):
    monkeypatch.setattr(batch_size.memory, "free_bytes", lambda device: 2**40)
    family = FakeFamily()
    before = {name: value.clone() for name, value in family.model.state_dict().items()}
    with_batch_size(configured(**AUTO), family, FakeCorpus(DURATIONS), resume=None)
    assert family.batches
    after = family.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_auto_is_the_one_word_that_a_batch_size_may_be():
    name = "training.per_device_train_batch_size"
    assert compose([f"{name}=auto"]).config.training.per_device_train_batch_size == "auto"
    assert compose([f"{name}=8"]).config.training.per_device_train_batch_size == 8
    for wrong in ("large", "8.5", "true", "'8'"):
        with pytest.raises(ConfigErrors, match="a whole number, `auto` or null"):
            compose([f"{name}={wrong}"])
    with pytest.raises(ConfigErrors, match="at least 1"):
        compose([f"{name}=0"])
