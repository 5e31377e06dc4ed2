"""Optimizer, schedule and random state on disk, bit for bit and without pickle.

A tree of dicts, lists, tuples, numbers, strings, tensors and arrays becomes two files:
``stem.json`` with its shape and ``stem.safetensors`` with its tensors.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

_TENSOR, _ARRAY, _TUPLE, _DICT = "__tensor__", "__array__", "__tuple__", "__dict__"


def save_tree(tree: Any, directory: Path, stem: str) -> None:
    """Write a tree as ``stem.json`` and, where it holds tensors, ``stem.safetensors``.

    Raises:
        TypeError: The tree holds something that is not data, as a function.
    """
    tensors: dict[str, torch.Tensor] = {}
    packed = _pack(tree, tensors, stem)
    text = json.dumps(packed, separators=(",", ":")) + "\n"
    (directory / f"{stem}.json").write_text(text, encoding="utf-8")
    if tensors:
        save_file(tensors, str(directory / f"{stem}.safetensors"))


def load_tree(directory: Path, stem: str) -> Any:
    """The tree that :func:`save_tree` wrote; its tensors lie on the CPU."""
    packed = json.loads((directory / f"{stem}.json").read_text(encoding="utf-8"))
    tensor_path = directory / f"{stem}.safetensors"
    tensors = load_file(str(tensor_path)) if tensor_path.exists() else {}
    return _unpack(packed, tensors)


def _pack(value: Any, tensors: dict[str, torch.Tensor], path: str) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, torch.Tensor | np.ndarray):
        name = str(len(tensors))
        if isinstance(value, torch.Tensor):
            # A copy of its own: safetensors refuses tensors that share memory.
            tensors[name] = value.detach().to("cpu", copy=True).contiguous()
            return {_TENSOR: name}
        tensors[name] = torch.from_numpy(np.array(value))
        return {_ARRAY: name}
    if isinstance(value, tuple):
        return {_TUPLE: [_pack(item, tensors, f"{path}[]") for item in value]}
    if isinstance(value, list):
        return [_pack(item, tensors, f"{path}[]") for item in value]
    if isinstance(value, dict):
        # As pairs: JSON would turn the optimizer's integer keys into strings.
        return {
            _DICT: [
                [_pack(key, tensors, path), _pack(item, tensors, f"{path}.{key}")]
                for key, item in value.items()
            ]
        }
    raise TypeError(f"{path} cannot be saved without pickle: it is a {type(value).__name__}")


def _unpack(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpack(item, tensors) for item in value]
    if isinstance(value, dict):
        ((kind, content),) = value.items()
        if kind == _TENSOR:
            return tensors[content]
        if kind == _ARRAY:
            return tensors[content].numpy()
        if kind == _TUPLE:
            return tuple(_unpack(item, tensors) for item in content)
        return {_unpack(key, tensors): _unpack(item, tensors) for key, item in content}
    return value


def random_state(device: torch.device) -> dict[str, Any]:
    """State of every generator a training samples from: Python, NumPy, torch, the device."""
    state: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
    }
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_random_state(state: dict[str, Any], device: torch.device) -> None:
    """Put every generator back to where :func:`random_state` found it."""
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
    torch.set_rng_state(state["torch"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
    elif device.type == "mps" and "mps" in state:
        torch.mps.set_rng_state(state["mps"])
