"""Tensors of which each rank holds a part (torch's DTensor), beside those that it holds in full."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.distributed.tensor import DTensor, distribute_tensor


def own_part(tensor: torch.Tensor) -> torch.Tensor:
    """What this rank holds of a tensor, in the same memory; all of one that is not sharded."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def in_full(tensor: torch.Tensor) -> torch.Tensor:
    """All of a tensor; of a sharded one all ranks ask together."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def joined(part: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """All of a tensor of which each rank holds what it holds of ``like``; all ask together."""
    if not isinstance(like, DTensor):
        return part
    placed = DTensor.from_local(
        part, like.device_mesh, like.placements, shape=like.shape, stride=like.stride()
    )
    return placed.full_tensor()


def split(full: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A tensor that every rank has in full, sharded as ``like`` is; as it is where that is not.

    Nothing is exchanged, and the memory of the full one is not held on to.
    """
    if not isinstance(like, DTensor):
        return full
    moved = full.to(like.device)
    sharded = distribute_tensor(moved, like.device_mesh, like.placements, src_data_rank=None)
    mine = sharded.to_local().clone()
    return DTensor.from_local(
        mine, like.device_mesh, like.placements, shape=like.shape, stride=like.stride()
    )


def tree_in_full(tree: Any, *, keep: bool) -> Any:
    """A tree of dicts and lists with its sharded tensors in full, on the CPU; all ask together.

    Args:
        tree: As an optimizer's ``state_dict`` gives it.
        keep: Whether this rank is to have them; elsewhere None stands in their places.
    """
    if isinstance(tree, DTensor):
        full = tree.full_tensor()
        return full.cpu() if keep else None
    if isinstance(tree, dict):
        return {key: tree_in_full(value, keep=keep) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(tree_in_full(value, keep=keep) for value in tree)
    return tree


def split_state(state: Mapping[str, Any], optimizer: Any) -> dict[str, Any]:
    """The state of an optimizer whose tensors are in full, sharded as its parameters are.

    Args:
        state: As ``state_dict`` of an optimizer of the same groups gave it, on one process or
            through :func:`tree_in_full`.
        optimizer: Whose parameters are sharded.
    """
    saved = [number for group in state["param_groups"] for number in group["params"]]
    held = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    parameters = dict(zip(saved, held, strict=False))  # the optimizer itself says what differs
    found = {
        number: {
            name: split(value, parameters[number])
            if number in parameters
            and torch.is_tensor(value)
            and value.shape == parameters[number].shape
            else value
            for name, value in values.items()
        }
        for number, values in state["state"].items()
    }
    return {**state, "state": found}
