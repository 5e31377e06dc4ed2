"""The exact average of LoRA adapters: of what they add to a weight, not of A and of B.

The mean of s·B·A over N adapters is one product of rank N·r: the matrices A below one another, and
the matrices B beside one another, each scaled by s / N. An adapter of DoRA makes of a weight W the
rows m · (W + s·B·A) / |W + s·B·A|; their mean is c · (W + …) with c the mean of m / |…|, which is
again such a matrix, with its own row lengths as m.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mynah.errors import UserError
from mynah.files import read_json

if TYPE_CHECKING:
    import torch

    from mynah.models.family import Family

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
_DOWN, _UP, _LENGTHS = "lora_A.weight", "lora_B.weight", "lora_magnitude_vector"


@dataclass(frozen=True)
class _Adapter:
    """One of the adapters.

    Attributes:
        folder: Where it lies.
        config: As peft has it.
        tensors: Its weights.
    """

    folder: Path
    config: dict[str, Any]
    tensors: dict[str, torch.Tensor]

    @classmethod
    def read(cls, folder: Path) -> _Adapter:
        from safetensors.torch import load_file

        config = read_json(folder / CONFIG)
        if config.get("rank_pattern") or config.get("alpha_pattern"):
            raise UserError(
                "This adapter has another rank or alpha in some layers, and is not averaged.",
                where=str(folder / CONFIG),
                fix="merge it first (`mynah merge`), and average what comes of it",
            )
        return cls(folder, config, load_file(str(folder / WEIGHTS)))

    @property
    def scale(self) -> float:
        """What B·A is multiplied by."""
        rank = int(self.config["r"])
        over = math.sqrt(rank) if self.config.get("use_rslora") else rank
        return float(self.config["lora_alpha"]) / over


def average_adapters(folders: Sequence[Path], target: Path, family: Family) -> None:
    """Write the average of adapters as one of a higher rank.

    Args:
        folders: Where they lie; the last one's other settings are taken.
        target: The folder to write into.
        family: The model that they adapt, loaded with one of them.

    Raises:
        UserError: They adapt other layers, or other weights.
    """
    from safetensors.torch import save_file

    adapters = [_Adapter.read(folder) for folder in folders]
    last = adapters[-1]
    for adapter in adapters:
        _check_alike(adapter, last)
    bases = _bases(family, last) if last.config.get("use_dora") else {}
    tensors: dict[str, torch.Tensor] = {}
    for name in last.tensors:
        prefix = name.removesuffix(_DOWN)
        if prefix != name:
            tensors |= _stacked(adapters, prefix, bases.get(prefix))
        elif not name.endswith((_UP, _LENGTHS)):  # a layer that is trained in full
            tensors[name] = _mean([adapter.tensors[name] for adapter in adapters])
    rank = sum(int(adapter.config["r"]) for adapter in adapters)
    config = {**last.config, "r": rank, "lora_alpha": rank, "use_rslora": False}
    save_file(tensors, str(target / WEIGHTS), metadata={"format": "pt"})
    text = json.dumps(config, indent=2, sort_keys=True)
    (target / CONFIG).write_text(text, encoding="utf-8")


def _check_alike(adapter: _Adapter, last: _Adapter) -> None:
    problem = None
    if other := adapter.tensors.keys() ^ last.tensors.keys():
        problem = f"{min(other)} is in one of them alone"
    for name in ("base_model_name_or_path", "revision", "use_dora", "fan_in_fan_out"):
        if adapter.config.get(name) != last.config.get(name):
            problem = f"{name} is {adapter.config.get(name)} and {last.config.get(name)}"
    for name, tensor in last.tensors.items():
        if problem is None and _own(name, adapter.tensors[name]) != _own(name, tensor):
            shapes = [list(one.shape) for one in (adapter.tensors[name], tensor)]
            problem = f"{name} is {shapes[0]} in the one and {shapes[1]} in the other"
    if problem is not None:
        raise UserError(
            f"These adapters are not of one model, so their average means nothing: {problem}.",
            where=f"{adapter.folder} and {last.folder}",
            fix="average checkpoints of one training",
        )


def _own(name: str, tensor: torch.Tensor) -> tuple[int, ...]:
    """A shape, but for the rank."""
    shape = tuple(tensor.shape)
    return shape[1:] if name.endswith(_DOWN) else shape[:1] if name.endswith(_UP) else shape


def _stacked(
    adapters: Sequence[_Adapter], prefix: str, base: torch.Tensor | None
) -> dict[str, torch.Tensor]:
    """The matrices of one layer, whose product at a scale of 1 is the mean.

    Args:
        adapters: Those to average.
        prefix: What the layer's tensors are called, up to ``lora_A``.
        base: The layer's weight, float64 [outputs, inputs], where they are of DoRA.
    """
    import torch

    downs = [one.tensors[prefix + _DOWN] for one in adapters]
    ups = [one.scale * one.tensors[prefix + _UP].double() for one in adapters]
    if base is None:
        up = torch.cat([one / len(adapters) for one in ups], dim=1)
        return {prefix + _DOWN: torch.cat(downs), prefix + _UP: up.to(downs[0].dtype)}
    changed = [base + up @ down.double() for up, down in zip(ups, downs, strict=True)]
    lengths = [one.tensors[prefix + _LENGTHS].double() for one in adapters]
    # What W counts in each, by row, and what the rest then has to be divided by.
    counts = [length / weight.norm(dim=1) for length, weight in zip(lengths, changed, strict=True)]
    total = torch.stack(counts).sum(0)
    up = torch.cat([(one / total)[:, None] * up for one, up in zip(counts, ups, strict=True)], 1)
    rows = sum(
        (one[:, None] * weight for one, weight in zip(counts, changed, strict=True)),
        torch.zeros_like(base),
    )
    length = (rows / len(adapters)).norm(dim=1) * total.sign()
    return {
        prefix + _DOWN: torch.cat(downs),
        prefix + _UP: up.to(downs[0].dtype),
        prefix + _LENGTHS: length.to(downs[0].dtype),
    }


def _bases(family: Family, adapter: _Adapter) -> Mapping[str, torch.Tensor]:
    """The weights that an adapter adapts, float64 [outputs, inputs], by the name of its tensors."""
    from peft.utils.integrations import dequantize_module_weight

    prefixes = {name.removesuffix(_DOWN) for name in adapter.tensors if name.endswith(_DOWN)}
    wanted = {prefix.removeprefix("base_model.model.").rstrip("."): prefix for prefix in prefixes}
    for model in family.model.modules():
        if not hasattr(model, "peft_config"):
            continue
        modules = dict(model.get_base_model().named_modules())
        if wanted.keys() <= modules.keys():
            transposed = bool(adapter.config.get("fan_in_fan_out"))
            found = {}
            for path, prefix in wanted.items():
                weight = dequantize_module_weight(modules[path].get_base_layer()).detach().double()
                found[prefix] = (weight.T if transposed else weight).cpu()
            return found
    raise UserError(
        "The layers that this adapter adapts are not those of the model.",
        where=str(adapter.folder),
        fix="average checkpoints of one training",
    )


def _mean(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    import torch

    return torch.stack([one.double() for one in tensors]).mean(0).to(tensors[0].dtype)
