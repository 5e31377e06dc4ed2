"""Where the weights of a training are: in full on every rank, or a part of each on every rank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch


class Replicated:
    """Every rank holds all weights: nothing is to be gathered, and nothing is done here."""

    def shard(self) -> None:
        """Let each rank hold a part of each weight from here on; all ranks together."""

    def in_full(self) -> AbstractContextManager[None]:
        """For a while, let every rank have the model as it would be without sharding.

        All ranks enter together, and may do different things with it.
        """
        return nullcontext()

    def in_full_on_first(self) -> AbstractContextManager[None]:
        """The same, on the CPU, for the first rank alone; the others only help it."""
        return nullcontext()

    def keep_in_full(self) -> None:
        """Let every rank have the model in full for good; all ranks together."""

    def state_in_full(self, state: dict[str, Any]) -> dict[str, Any]:
        """An optimizer's state as the first rank writes it; all ranks together."""
        return state

    def own_state(self, state: dict[str, Any], optimizer: Any) -> dict[str, Any]:
        """What :meth:`state_in_full` gave, as this rank's optimizer takes it."""
        return state

    def norm(self, gradients: Sequence[torch.Tensor]) -> float:
        """The norm of a gradient of which this rank holds these parts; all ranks together."""
        return float(torch.nn.utils.get_total_norm(list(gradients)))

    @property
    def shards(self) -> bool:
        """Whether it is asked for that each rank holds a part."""
        return False


def root_of_sum(squares: float) -> float:
    """The root of a sum of squares, which may be infinite or no number."""
    return math.sqrt(squares) if squares >= 0 else squares
