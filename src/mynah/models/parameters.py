"""What a model consists of, counted; and its parts put out of training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def parameter_table(
    model: Any, part_of: Callable[[str], str] | None = None
) -> list[tuple[str, int, int]]:
    """(part, parameters, trainable parameters) for each part of ``model``.

    Args:
        model: The model, adapted or not.
        part_of: The part of a parameter by its name; None: top-level parts.
    """
    rows: dict[str, list[int]] = {}
    for name, parameter in model.named_parameters():
        name = name.removeprefix("base_model.model.")
        row = rows.setdefault(part_of(name) if part_of else name.split(".", 1)[0], [0, 0])
        row[0] += parameter.numel()
        row[1] += parameter.numel() if parameter.requires_grad else 0
    return [(part, total, trainable) for part, (total, trainable) in rows.items()]


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """With ``model`` in evaluation mode; afterwards it is in the mode that it was in."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def hold_frozen_norms(model: Any) -> None:
    """Keep the running statistics of every BatchNorm whose weights are not trained."""
    from torch.nn.modules.batchnorm import _BatchNorm

    for module in model.modules():
        if isinstance(module, _BatchNorm) and not any(
            parameter.requires_grad for parameter in module.parameters()
        ):
            module.eval()


def not_finite(model: Any) -> list[str]:
    """Names of the parameters and buffers in which a value is NaN or infinite."""
    import torch

    named = [*model.named_parameters(), *model.named_buffers()]
    return [
        name
        for name, value in named
        if value.is_floating_point() and not bool(torch.isfinite(value.detach()).all())
    ]
