"""Several processes that train one model: how many there are, and what they tell each other."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any


def world_size() -> int:
    """Processes of this training, as torchrun and accelerate launch set them; 1 alone."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this process is; 0 alone."""
    return int(os.environ.get("RANK", "0"))


def start(*, on_cpu: bool) -> None:
    """Let the processes find each other; alone, or where they have already, nothing happens.

    Args:
        on_cpu: Whether the model is trained on the CPU (gloo) rather than on GPUs (NCCL).
    """
    if world_size() == 1:
        return
    import torch
    import torch.distributed as dist

    if dist.is_initialized():
        return
    if not on_cpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("gloo" if on_cpu else "nccl")


def sum_over_ranks(values: Sequence[float], device: Any) -> list[float]:
    """Sum each value over all ranks, in double precision; alone they are returned as they are."""
    if world_size() == 1:
        return list(values)
    import torch
    import torch.distributed as dist

    tensor = torch.tensor(list(values), dtype=torch.float64, device=device)
    dist.all_reduce(tensor)
    return tensor.tolist()


def gather_to_first(value: Any) -> list[Any]:
    """One value of each rank, in their order, on rank 0; elsewhere an empty list."""
    if world_size() == 1:
        return [value]
    import torch.distributed as dist

    gathered = [None] * world_size() if rank() == 0 else None
    dist.gather_object(value, gathered)
    return gathered or []


def on_first(action: Callable[[], Any]) -> Any:
    """What rank 0's ``action`` gives, on every rank; what it raises is raised on every rank."""
    if world_size() == 1:
        return action()
    found: Any = None
    problem: Exception | None = None
    if rank() == 0:
        try:
            found = action()
        except Exception as error:
            problem = error
    found, problem = from_first((found, problem))
    if problem is not None:
        raise problem
    return found


def from_first(value: Any) -> Any:
    """Rank 0's value, on every rank."""
    if world_size() == 1:
        return value
    import torch.distributed as dist

    box = [value]
    dist.broadcast_object_list(box)
    return box[0]
