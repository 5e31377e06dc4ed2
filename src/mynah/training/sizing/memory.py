"""A device's memory: what is free, and what an optimizer will take."""

from __future__ import annotations

import gc
import os
import resource
import sys
from pathlib import Path
from typing import Any

import torch

from mynah.models.catalog.footprint import kept_states
from mynah.training.optimizers.muon import NAME as MUON
from mynah.training.optimizers.muon import matrix_parameters
from mynah.training.sharding import blocks

_CGROUP = Path("/sys/fs/cgroup")


def release_unused(device: torch.device) -> None:
    """Give back what nothing holds any more, after a step that ran out of memory."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def training_bytes(
    model: torch.nn.Module, optimizer: str | None, world_size: int, *, sharded: bool = False
) -> int:
    """Bytes a training holds beside what a forward and backward pass shows.

    The optimizer's state, what its update needs for a moment, and with several processes the
    buckets in which gradients are exchanged. Of sharded weights each process has its part of the
    state, and exchanges gradients layer by layer.

    Args:
        model: The model; what requires a gradient is trained.
        optimizer: The name in ``training.optim``.
        world_size: Processes that train it together.
        sharded: Whether each of them holds a part (``training.fsdp``).
    """
    matrices = matrix_parameters(model) if optimizer == MUON else set()
    states, updates, gradients = 0.0, 0, 0
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        size = parameter.numel() * parameter.element_size()
        kept = 1.0 if name in matrices else kept_states(optimizer)
        states += kept * size
        updates += size
        gradients += size if world_size > 1 else 0
    if sharded:
        return int(states + updates) // world_size
    return int(states) + updates + gradients


def bytes_of_others(model: torch.nn.Module, world_size: int) -> int:
    """Bytes of weights and gradients that other processes hold where they are sharded, and that a
    step of the model in full shows nevertheless.

    Args:
        model: Not sharded yet.
        world_size: Processes that train it together.
    """
    return max(0, blocks.full_bytes(model) - blocks.largest_held_bytes(model, world_size))


def free_bytes(device: torch.device) -> int | None:
    """Bytes that this process may still take; None where the machine does not say."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return _free_host_bytes()


def peak_bytes(device: torch.device) -> float:
    """The most that has been held: on the GPU since the last reset, elsewhere by the process."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak) * (1 if sys.platform == "darwin" else 1024)  # macOS counts bytes


def _free_host_bytes() -> int | None:
    found = [_available_by_kernel(), _left_of_cgroup()]
    known = [value for value in found if value is not None]
    return min(known) if known else None


def _available_by_kernel() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:  # macOS does not tell what is free: half of what is there
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (OSError, ValueError):
        return None


def _left_of_cgroup() -> int | None:
    """What a container or a job of a cluster may still take, by version 2 of cgroups."""
    try:
        limit = (_CGROUP / "memory.max").read_text(encoding="ascii").strip()
        used = int((_CGROUP / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return max(int(limit) - used, 0) if limit.isdigit() else None


def hold(device: torch.device, size: int) -> Any:
    """Take memory of a GPU until what is returned is let go; elsewhere nothing is taken."""
    if device.type != "cuda" or size <= 0:
        return None
    return torch.empty(size, dtype=torch.uint8, device=device)
