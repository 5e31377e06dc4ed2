"""Label sequences of a batch, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def padded_labels(rows: Sequence[Sequence[int]], fill: int) -> torch.Tensor:
    """int64 [rows, the longest's labels, one at least], with ``fill`` behind each row."""
    import torch

    made = np.full((len(rows), max([1, *map(len, rows)])), fill, dtype=np.int64)
    for place, row in zip(made, rows, strict=True):
        place[: len(row)] = row
    return torch.from_numpy(made)
