"""The dataloader: workers that read ahead, and how a batch comes from them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler, get_worker_info

from mynah.training.stops import SIGNALS

if TYPE_CHECKING:
    from mynah.training.dataset import TrainingRows

# Smaller tensors come from a worker inside its message: a piece of shared memory for each
# costs more than copying it, and of a batch all but the features are small.
_SHARED_BYTES = 1 << 17


class BatchLoader(DataLoader):
    """A plain DataLoader whose batches come from their worker in few pieces."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        for batch in super().__iter__():
            yield {**batch, "tensors": unpacked(batch["tensors"])}


def make_loader(
    rows: TrainingRows, sampler: Sampler[Any], *, pin_memory: bool, **worker_options: Any
) -> BatchLoader:
    """A loader over a plan; nothing in it touches the global random state."""
    return BatchLoader(
        rows,
        batch_sampler=sampler,
        collate_fn=_Collation(rows),
        pin_memory=pin_memory,
        worker_init_fn=_leave_signals_to_training,
        # Drawing the workers' seeds from the global generator would move it once an epoch.
        generator=torch.Generator().manual_seed(0),
        **worker_options,
    )


class _Collation:
    """Collates a batch; in a worker, for its way to the training too."""

    def __init__(self, rows: TrainingRows) -> None:
        self._rows = rows

    def __call__(self, loaded: list[Any]) -> dict[str, Any]:
        batch = self._rows.collate(loaded)
        if get_worker_info() is None:
            return batch
        return {**batch, "tensors": packed(batch["tensors"])}


def packed(tensors: dict[str, Any]) -> dict[str, Any]:
    """Tensors with the small ones as arrays, which are sent as bytes."""
    return {
        name: value.numpy()
        if isinstance(value, torch.Tensor) and value.nbytes < _SHARED_BYTES
        else value
        for name, value in tensors.items()
    }


def unpacked(tensors: dict[str, Any]) -> dict[str, Any]:
    """The tensors that :func:`packed` was given."""
    return {
        name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
        for name, value in tensors.items()
    }


def _leave_signals_to_training(worker: int) -> None:
    """Ctrl-C and a cluster's signals reach the whole process group: the training decides."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
