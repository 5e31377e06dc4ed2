"""Running statistics of normalisation layers, kept from a step that does not count."""

from __future__ import annotations

import torch
from torch.nn.modules.batchnorm import _NormBase


class RunningStatistics:
    """The means and variances that batch normalisation gathers in its forward pass.

    A batch whose loss is no number has moved them before its loss is known: leaving its gradient
    out is not enough.

    Args:
        model: The module that is trained.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self._buffers = [
            buffer
            for module in model.modules()
            if isinstance(module, _NormBase) and module.track_running_stats
            for buffer in module.buffers(recurse=False)
        ]
        self._kept: list[torch.Tensor] = []

    def keep(self) -> None:
        """Remember them as they are."""
        self._kept = [buffer.clone() for buffer in self._buffers]

    def put_back(self) -> None:
        """Let them be as they were when :meth:`keep` was called."""
        with torch.no_grad():
            for buffer, kept in zip(self._buffers, self._kept, strict=True):
                buffer.copy_(kept)
