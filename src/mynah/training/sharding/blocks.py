"""What of a model is gathered together, where its weights are sharded."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn
from torch.nn.utils.parametrize import ParametrizationList


def blocks(model: nn.Module) -> Iterator[nn.Module]:
    """The layers of every stack of a model, outermost stacks alone: each is gathered by itself.

    What is in no stack, as embeddings and heads, is gathered with the model, for all of a step.
    """
    for child in model.children():
        if isinstance(child, nn.ModuleList) and not isinstance(child, ParametrizationList):
            yield from _layers(child)
        else:
            yield from blocks(child)


def _layers(stack: nn.Module) -> Iterator[nn.Module]:
    for layer in stack.children():
        if isinstance(layer, nn.ModuleList | nn.ModuleDict):
            yield from _layers(layer)
        elif any(True for _ in layer.parameters()):
            yield layer


def largest_held_bytes(model: nn.Module, ranks: int) -> int:
    """Bytes of weights and gradients that a rank holds at once, at most, where they are sharded.

    Its part of all of them; what is in no stack, in full for all of a step; and two layers, one
    that is computed and one that is gathered or whose gradient is sent.

    Args:
        model: Not sharded yet; what requires a gradient is trained.
        ranks: Processes that train it together.
    """
    layers = [_bytes(layer) for layer in blocks(model)]
    total = _bytes(model)
    return total // ranks + (total - sum(layers)) + 2 * max(layers, default=0)


def full_bytes(model: nn.Module) -> int:
    """Bytes of weights and gradients where they are not sharded."""
    return _bytes(model)


def _bytes(module: nn.Module) -> int:
    return sum(
        one.numel() * one.element_size() * (2 if one.requires_grad else 1)
        for one in module.parameters()
    )
