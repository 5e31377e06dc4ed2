"""The dry steps before a training: the largest batch first, nothing changed, a clear failure."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
import torch
from dry_step_fakes import HOP, RATE, FakeCorpus, FakeFamily, configured

from mynah.errors import UserError
from mynah.training.optimizers import muon
from mynah.training.sizing import memory
from mynah.training.sizing.batch_size import batch_plan
from mynah.training.sizing.estimate import BATCH_FILE, estimate

DURATIONS = np.random.default_rng(0).uniform(0.5, 6.0, 60)


def run(tmp_path, family=None, corpus=None, **settings):
    family = family or FakeFamily()
    corpus = corpus or FakeCorpus(DURATIONS)
    config = configured(**{"batch_seconds": 20.0, **settings})
    return estimate(family, corpus, batch_plan(corpus, config), config, directory=tmp_path), family


def bits(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("fails", [False, True])
def test_weights_buffers_modes_gradients_and_random_state_are_left_bit_for_bit(tmp_path, fails):
    family = FakeFamily(out_of_memory_at=1000 if fails else float("inf"))
    before = bits(family.model)
    modes = {name: module.training for name, module in family.model.named_modules()}
    assert True in modes.values() and False in modes.values()
    states = (torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate())
    if fails:
        with pytest.raises(UserError):
            run(tmp_path, family)
    else:
        run(tmp_path, family)
    assert family.batches
    after = bits(family.model)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert {name: module.training for name, module in family.model.named_modules()} == modes
    assert all(parameter.grad is None for parameter in family.model.parameters())
    assert torch.equal(states[0], torch.get_rng_state())
    assert (states[1] == np.random.get_state()[1]).all() and states[2] == random.getstate()


def test_the_batch_that_takes_the_most_comes_first(tmp_path):
    corpus = FakeCorpus(DURATIONS)
    _, family = run(tmp_path, corpus=corpus)
    plan = batch_plan(corpus, configured(batch_seconds=20.0))
    padded = [
        len(rows) * max(round(DURATIONS[row] * RATE) // HOP for row in rows)
        for epoch in range(5)
        for rows in (
            [row for row, _ in plan.batch(epoch, index)] for index in range(plan.batches_per_epoch)
        )
    ]
    rows, frames, _ = family.batches[0]
    assert rows * frames == max(padded)


def test_a_batch_of_long_transcripts_is_tried_beside_the_one_of_long_recordings(tmp_path):
    texts = ["ab"] * 32 + ["abcd" * 10] * 30
    _, family = run(tmp_path, corpus=FakeCorpus([5.0] * 32 + [0.5] * 30, texts))
    assert {labels for _, _, labels in family.batches[:2]} == {2, 40}


def test_the_slowest_speed_of_the_augmentation_lengthens_the_dry_step(tmp_path):
    corpus = FakeCorpus([2.0] * 8)
    _, plain = run(tmp_path, corpus=corpus)
    _, slowed = run(tmp_path, corpus=corpus, speed_factors=[0.8, 1.0, 1.25])
    assert plain.batches[0][1] == 200 and slowed.batches[0][1] == 250


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        MemoryError(),
    ],
)
def test_a_batch_that_does_not_fit_is_named_and_written_down_with_the_way_out(tmp_path, error):
    family = FakeFamily(out_of_memory_at=1000)
    family.error = error
    with pytest.raises(UserError) as raised:
        run(tmp_path, family)
    written = json.loads((tmp_path / BATCH_FILE).read_text())
    rows = len(written["utterances"])
    longest = max(one["seconds"] for one in written["utterances"])
    assert written["padded_seconds"] == pytest.approx(rows * longest, abs=1e-3) and rows > 1
    assert written["training.batch_seconds"] == 20.0
    assert f"{rows} utterance(s)" in raised.value.what and "label tokens" in raised.value.what
    assert str(tmp_path / BATCH_FILE) in raised.value.where
    assert "training.batch_seconds=10" in raised.value.fix
    assert "training.per_device_train_batch_size=auto" in raised.value.fix
    assert "training.gradient_accumulation_steps=2" in raised.value.fix


def test_one_utterance_that_does_not_fit_is_answered_with_a_shorter_limit(tmp_path):
    with pytest.raises(UserError) as raised:
        run(tmp_path, FakeFamily(out_of_memory_at=1000), FakeCorpus([40.0, 1.0]))
    assert "data.max_audio_seconds=20" in raised.value.fix


def test_a_fixed_batch_size_is_answered_with_half_of_it(tmp_path):
    with pytest.raises(UserError) as raised:
        run(tmp_path, FakeFamily(out_of_memory_at=1000), per_device_train_batch_size=8)
    assert "training.per_device_train_batch_size=4" in raised.value.fix


def test_an_error_that_is_not_about_memory_is_not_called_one(tmp_path):
    family = FakeFamily(out_of_memory_at=1000)
    family.error = RuntimeError("shapes do not match")
    with pytest.raises(RuntimeError, match="shapes"):
        run(tmp_path, family)
    assert not (tmp_path / BATCH_FILE).exists()


def test_a_file_that_cannot_be_read_does_not_end_the_estimate(tmp_path):
    found, _ = run(tmp_path, corpus=FakeCorpus(DURATIONS, unreadable=frozenset(range(60))))
    assert found.seconds_per_step > 0 and found.peak_bytes > 0


def test_accumulated_batches_make_a_step_longer(tmp_path, monkeypatch):
    ticks = iter(range(1000))
    monkeypatch.setattr("mynah.training.sizing.estimate.time.perf_counter", lambda: next(ticks))
    one, _ = run(tmp_path)
    three, _ = run(tmp_path, gradient_accumulation_steps=3)
    assert three.seconds_per_step == pytest.approx(3 * one.seconds_per_step)


def optimizer_state_bytes(optimizer, model):
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    return sum(
        value.numel() * value.element_size()
        for state in optimizer.state.values()
        for value in state.values()
        if torch.is_tensor(value) and value.ndim
    )


@pytest.mark.parametrize("name", ["adamw_torch", "sgd", "muon"])
def test_the_bytes_counted_for_an_optimizer_are_those_it_takes(name):
    model = torch.nn.Sequential(
        torch.nn.Linear(32, 64), torch.nn.Linear(64, 32), torch.nn.Linear(32, 5)
    )
    model[2].requires_grad_(False)
    trained = sum(4 * p.numel() for p in model.parameters() if p.requires_grad)
    counted = memory.training_bytes(model, name, 1) - trained  # less the update itself
    made = {
        "adamw_torch": lambda: torch.optim.AdamW(model.parameters()),
        "sgd": lambda: torch.optim.SGD(model.parameters(), momentum=0.9, lr=0.1),
        "muon": lambda: muon.build_muon(
            model, set(), lr=0.1, weight_decay=0.0, betas=(0.9, 0.98), eps=1e-8
        ),
    }[name]()
    assert counted == optimizer_state_bytes(made, model)


def test_several_processes_hold_the_gradients_twice():
    model = torch.nn.Linear(10, 10, bias=False)
    alone, together = (memory.training_bytes(model, "adamw_torch", size) for size in (1, 2))
    assert together - alone == 400


def test_sharded_each_process_holds_its_part_of_the_state_and_little_of_the_weights():
    model = torch.nn.Sequential(
        torch.nn.ModuleList(torch.nn.Linear(10, 10, bias=False) for _ in range(8))
    )
    alone = memory.training_bytes(model, "adamw_torch", 1)
    assert memory.training_bytes(model, "adamw_torch", 4, sharded=True) == alone // 4
    # A quarter of eight layers, and two of them in full, weights and gradients.
    assert memory.bytes_of_others(model, 4) == 2 * 8 * 400 - (2 * 8 * 400 // 4 + 2 * 800)
    assert memory.bytes_of_others(torch.nn.Linear(10, 10), 4) == 0
