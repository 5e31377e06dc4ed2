"""The dataloader: workers that read ahead."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader, Sampler

from mynah.training.stops import SIGNALS

if TYPE_CHECKING:
    from mynah.training.dataset import TrainingRows


def make_loader(
    rows: TrainingRows, sampler: Sampler[Any], *, pin_memory: bool, **worker_options: Any
) -> DataLoader:
    """A plain loader over a plan; nothing in it touches the global random state.

    Plain, because Accelerate builds another one of its parts where a resumed training skips
    batches.
    """
    return DataLoader(
        rows,
        batch_sampler=sampler,
        collate_fn=rows.collate,
        pin_memory=pin_memory,
        worker_init_fn=_leave_signals_to_training,
        # Drawing the workers' seeds from the global generator would move it once an epoch.
        generator=torch.Generator().manual_seed(0),
        **worker_options,
    )


def _leave_signals_to_training(worker: int) -> None:
    """Ctrl-C and a cluster's signals reach the whole process group: the training decides."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
