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
