"""Batches in memory that the training shares with its workers."""

from __future__ import annotations

import gc
import multiprocessing
import pickle
from typing import Any

import pytest
import torch
from torch.utils.data import Dataset

from mynah.training.loading import loader
from mynah.training.loading.batch_memory import BatchMemory
from mynah.training.loading.loader import make_loader

TYPES = [
    torch.float32, torch.float64, torch.float16, torch.bfloat16,
    torch.int64, torch.int32, torch.uint8, torch.bool,
]  # fmt: skip


def sent(stored: Any) -> Any:
    """What the training unpickles of what a worker sends."""
    return pickle.loads(pickle.dumps(stored))


def tensors(seed: int = 0) -> dict[str, torch.Tensor]:
    made = torch.Generator().manual_seed(seed)
    found = {
        f"{kind}".removeprefix("torch."): (torch.randn(3, 5, generator=made) * 9).to(kind)
        for kind in TYPES
    }
    found["transposed"] = torch.randn(4, 6, generator=made).T
    found["scalar"] = torch.tensor(2.5 + seed)
    found["empty"] = torch.empty(0, 7)
    return found


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and torch.equal(one[name], other[name]) for name in one
    )


def test_tensors_of_every_kind_come_as_they_were_sent():
    memory = BatchMemory(2, 1 << 16)
    assert same(sent(memory.store(tensors())), tensors())


def test_a_slot_is_free_once_the_last_of_its_tensors_is_gone():
    memory = BatchMemory(2, 1 << 16)
    got = sent(memory.store(tensors()))
    assert memory.free == 1
    kept = got["float32"][1:]  # a view of one of them
    del got
    gc.collect()
    assert memory.free == 1
    assert torch.equal(kept, tensors()["float32"][1:])
    del kept
    gc.collect()
    assert memory.free == 2


def test_what_is_held_is_not_overwritten_and_nothing_waits_for_a_slot():
    memory = BatchMemory(2, 1 << 16)
    held = [sent(memory.store(tensors(seed))) for seed in range(2)]
    assert memory.free == 0
    third = tensors(2)
    assert memory.store(third) is third  # the way of torch
    assert all(same(one, tensors(seed)) for seed, one in enumerate(held))


@pytest.mark.parametrize(
    "batch", [{"audio": torch.zeros(1000)}, {"audio": torch.zeros(2), "texts": ["a", "b"]}]
)
def test_what_does_not_fit_goes_its_own_way(batch):
    memory = BatchMemory(1, 1024)
    assert memory.store(batch) is batch
    assert memory.free == 1


def test_a_worker_that_died_in_the_middle_of_taking_a_slot_holds_up_nobody(monkeypatch):
    monkeypatch.setattr("mynah.training.loading.batch_memory._LONGEST_CLAIM", 0.05)
    memory = BatchMemory(1, 1 << 16)
    memory._lock.acquire()
    batch = tensors()
    assert memory.store(batch) is batch


class Rows(Dataset):
    """Stands in for TrainingRows: a row is its number, a batch a tensor of them."""

    def __init__(self, width: int = 1000) -> None:
        self._width = width

    def __len__(self) -> int:
        return 64

    def __getitem__(self, row: int) -> int:
        return row

    def collate(self, rows: list[int]) -> dict[str, Any]:
        return {"tensors": {"rows": torch.tensor(rows)[:, None].repeat(1, self._width)}}


def batches(**options: Any) -> Any:
    plan: Any = [[row, row + 1] for row in range(0, 64, 2)]
    rows: Any = Rows()
    return make_loader(rows, plan, pin_memory=False, **options)


def test_every_batch_of_several_workers_stays_what_it_was_though_all_are_held():
    found = list(batches(num_workers=2, prefetch_factor=2, held=1))
    assert [batch["tensors"]["rows"][:, 0].tolist() for batch in found] == [
        [row, row + 1] for row in range(0, 64, 2)
    ]
    assert all((batch["tensors"]["rows"].diff(dim=1) == 0).all() for batch in found)


def test_a_training_that_holds_one_batch_gets_all_of_them_through_the_slots(monkeypatch):
    made: list[BatchMemory] = []

    class Kept(BatchMemory):
        def __init__(self, slots: int) -> None:
            super().__init__(slots, 1 << 16)
            made.append(self)

    monkeypatch.setattr(loader, "BatchMemory", Kept)
    ended = batches(num_workers=2, prefetch_factor=2, held=1, persistent_workers=True)
    (memory,) = made
    free = memory.free
    for _ in range(3):
        for batch in ended:
            # Tensors that came torch's own way lie in shared memory of their own.
            assert not batch["tensors"]["rows"].is_shared()
        del batch
        gc.collect()
        assert memory.free == free


def test_workers_that_share_no_memory_with_the_training_send_batches_as_torch_does():
    plain = batches(num_workers=1, multiprocessing_context="spawn")
    assert plain.collate_fn == plain.dataset.collate
    assert batches(num_workers=0).collate_fn.__name__ == "collate"
    if multiprocessing.get_start_method() == "fork":
        assert batches(num_workers=1).collate_fn != plain.dataset.collate


def test_where_the_system_gives_no_memory_batches_go_as_torch_sends_them(monkeypatch):
    def refused(slots: int) -> BatchMemory:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(loader, "BatchMemory", refused)
    found = list(batches(num_workers=1))
    assert len(found) == 32 and found[-1]["tensors"]["rows"][:, 0].tolist() == [62, 63]
