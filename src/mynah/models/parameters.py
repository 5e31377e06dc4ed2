"""What a model is made of, counted."""

from __future__ import annotations

from typing import Any


def parameter_table(model: Any) -> list[tuple[str, int, int]]:
    """(part, parameters, trainable parameters) for each top-level part of ``model``."""
    rows: dict[str, list[int]] = {}
    for name, parameter in model.named_parameters():
        name = name.removeprefix("base_model.model.")
        row = rows.setdefault(name.split(".", 1)[0], [0, 0])
        row[0] += parameter.numel()
        row[1] += parameter.numel() if parameter.requires_grad else 0
    return [(part, total, trainable) for part, (total, trainable) in rows.items()]


def hold_frozen_norms(model: Any) -> None:
    """Keep the running statistics of every BatchNorm whose weights are not trained."""
    from torch.nn.modules.batchnorm import _BatchNorm

    for module in model.modules():
        if isinstance(module, _BatchNorm) and not any(
            parameter.requires_grad for parameter in module.parameters()
        ):
            module.eval()
