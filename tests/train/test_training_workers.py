"""Data workers, which are kept from epoch to epoch, end with the training."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from typing import Any

import pytest
import torch
from training_fakes import TinyCorpus, tiny_config, tiny_train

from mynah.data.read_ahead import ReadAhead
from mynah.errors import UserError
from mynah.training.loading import feed


def _workers() -> set[int | None]:
    return {process.pid for process in multiprocessing.active_children()}


@pytest.mark.parametrize("on_error", ["skip", "fail"])
def test_no_data_worker_is_left_when_a_training_is_done_or_has_failed(tmp_path, on_error):
    before = _workers()
    config = tiny_config(max_steps=12, dataloader_num_workers=1, dataloader_persistent_workers=True)
    config = replace(config, data=replace(config.data, on_error=on_error))
    corpus = TinyCorpus(unreadable=frozenset({3}))
    if on_error == "fail":
        with pytest.raises(UserError, match="cannot be read"):
            tiny_train(tmp_path, config, corpus=corpus)
    else:
        tiny_train(tmp_path, config, corpus=corpus)
    assert _workers() == before


class WithoutPackage(TinyCorpus):
    """A corpus one of whose recordings needs a package that is not installed."""

    def read_audio(self, row):
        if row == 3:
            raise UserError("PyAV is not installed.", where="a.m4a", fix="pip install av")
        return super().read_audio(row)


@pytest.mark.parametrize("workers", [0, 1])
def test_what_the_user_has_to_fix_ends_a_training_and_is_not_a_row_left_out(workers, tmp_path):
    config = tiny_config(max_steps=12, dataloader_num_workers=workers)
    with pytest.raises(UserError) as caught:
        tiny_train(tmp_path, config, corpus=WithoutPackage())
    problem = caught.value
    assert (problem.what, problem.where, problem.fix) == (
        "PyAV is not installed.", "a.m4a", "pip install av",
    )  # fmt: skip


def test_a_training_ends_bit_for_bit_alike_with_and_without_workers(tmp_path):
    # Two batches a step and three steps an epoch, which end in the middle of the third.
    ends = []
    for workers in (0, 1, 2):
        config = tiny_config(
            max_steps=7, gradient_accumulation_steps=2, dataloader_num_workers=workers
        )
        family, result = tiny_train(tmp_path / str(workers), config)
        ends.append((family.model.state_dict(), result.history))
    (weights, history), *others = ends
    assert [entry["step"] for entry in history]
    for other, reported in others:
        assert reported == history
        assert all(torch.equal(other[name], value) for name, value in weights.items())


def test_every_epoch_is_read_ahead_and_nothing_behind_the_last_step(tmp_path, monkeypatch):
    counts = []

    class Noted(ReadAhead):
        def __init__(self, items: Any, **options: Any) -> None:
            counts.append(options["count"])
            super().__init__(items, **options)

    monkeypatch.setattr(feed, "ReadAhead", Noted)
    # Five batches an epoch, two a step: the last step is the first of the third epoch.
    config = tiny_config(max_steps=7, gradient_accumulation_steps=2, dataloader_num_workers=1)
    config = replace(config, training=replace(config.training, dataloader_persistent_workers=True))
    tiny_train(tmp_path, config)
    assert counts == [5, 5, 2]
