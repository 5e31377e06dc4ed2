"""Running statistics of normalisation layers, kept from a step that does not count."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.nn.modules.batchnorm import _NormBase

from mynah import distributed


class RunningStatistics:
    """The means and variances that batch normalisation gathers in its forward pass.

    A batch whose loss is NaN has moved them before its loss is known: leaving its gradient
    out is not enough.

    Args:
        model: The module that is trained.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self._modules = [
            module
            for module in model.modules()
            if isinstance(module, _NormBase) and module.track_running_stats
        ]
        self._kept: list[torch.Tensor] = []

    @property
    def _buffers(self) -> Iterator[torch.Tensor]:
        """Looked up again: moving a model, or wrapping it, gives it other tensors."""
        return (buffer for module in self._modules for buffer in module.buffers(recurse=False))

    def keep(self) -> None:
        """Remember them as they are."""
        self._kept = [buffer.clone() for buffer in self._buffers]

    def take_from_first(self) -> None:
        """Take over rank 0's, which are those that a checkpoint holds.

        DDP hands them out before each forward pass, in which every rank then moves its own: a
        model that is measured after a step would be another one on every rank.
        """
        if distributed.world_size() == 1:
            return
        for buffer in self._buffers:
            torch.distributed.broadcast(buffer, 0)

    def put_back(self) -> None:
        """Let them be as they were when :meth:`keep` was called."""
        with torch.no_grad():
            for buffer, kept in zip(self._buffers, self._kept, strict=True):
                buffer.copy_(kept)
