"""The dataloader: workers that read ahead."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader, Sampler, get_worker_info

from mynah.stopping.signals import SIGNALS
from mynah.training.loading.batch_memory import BatchMemory

if TYPE_CHECKING:
    from mynah.data.positions import Key, Position
    from mynah.training.loading.dataset import LoadedRow, TrainingRows


def make_loader(
    rows: TrainingRows[Key],
    sampler: Sampler[list[Position[Key]]],
    *,
    pin_memory: bool,
    held: int = 1,
    **worker_options: Any,
) -> DataLoader[LoadedRow[Key]]:
    """A plain loader over a plan; nothing in it touches the global random state.

    Plain, because Accelerate builds another one of its parts where a resumed training skips
    batches.

    Args:
        rows: What is loaded, and what makes batches of it.
        sampler: Positions of the rows of each batch.
        pin_memory: Whether a GPU shall copy the batches.
        held: Batches that the training holds at a time.
        worker_options: DataLoader's.
    """
    memory = _batch_memory(held, **worker_options)
    return DataLoader(
        rows,
        batch_sampler=sampler,
        collate_fn=rows.collate if memory is None else _Storing(rows.collate, memory),
        pin_memory=pin_memory,
        worker_init_fn=_leave_signals_to_training,
        # Drawing the workers' seeds from the global generator would move it once an epoch.
        generator=torch.Generator().manual_seed(0),
        **worker_options,
    )


def _batch_memory(
    held: int,
    *,
    num_workers: int = 0,
    prefetch_factor: int = 2,
    multiprocessing_context: str | None = None,
    **_: Any,
) -> BatchMemory | None:
    """Memory to hand batches over in; None where the workers do not share the training's."""
    method = (
        multiprocessing_context
        or multiprocessing.get_start_method(allow_none=True)  # and leaves it undecided
        or multiprocessing.get_all_start_methods()[0]
    )
    if not num_workers or method != "fork" or not sys.platform.startswith("linux"):
        return None
    try:
        # A worker fills one while those that it has read ahead wait.
        return BatchMemory(num_workers * (prefetch_factor + 1) + held + 1)
    except OSError:  # a limit on addresses, or memory that must not be promised twice
        return None


class _Storing:
    """Makes a batch and, in a worker, leaves its tensors in the memory for it."""

    def __init__(self, collate: Callable[[Sequence[Any]], dict[str, Any]], memory: BatchMemory):
        self._collate = collate
        self._memory = memory

    def __call__(self, rows: Sequence[Any]) -> dict[str, Any]:
        batch = self._collate(rows)
        if get_worker_info() is None:
            return batch
        return batch | {"tensors": self._memory.store(batch["tensors"])}


def _leave_signals_to_training(worker: int) -> None:
    """Ctrl-C and a cluster's signals reach the full process group: the training decides."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
