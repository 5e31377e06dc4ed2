"""Muon: momentum whose matrices are orthogonalised, with AdamW for everything else.

For models trained from scratch for minutes; ``benchmarks/optimizers.py`` compares it with
AdamW. Jordan et al. 2024, https://kellerjordan.github.io/posts/muon;
the scale by the matrix's larger side follows Liu et al. 2025, arXiv 2502.16982.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from mynah.training.sharding.tensors import joined, own_part, split

NAME = "muon"
# Quintic Newton-Schulz iteration that pulls singular values towards 1.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 4
_MOMENTUM = 0.95
# Root mean square of a matrix's update at learning rate 1. AdamW's is 0.2 to 0.4; from scratch
# and for a few hundred steps, matrices take more.
_UPDATE_RMS = 0.7
_SMALLEST_SIDE = 16  # below it there is nothing to orthogonalise


def matrix_parameters(model: nn.Module) -> set[str]:
    """Names of the parameters that Muon moves: the matrices between input and output.

    Output heads and embeddings are rows of their own, depthwise convolutions a filter a
    channel: AdamW suits those better.
    """
    left_out = (nn.Embedding,)
    found = set()
    for prefix, module in model.named_modules():
        if isinstance(module, left_out) or "head" in prefix.rpartition(".")[2]:
            continue
        for name, parameter in module.named_parameters(recurse=False):
            depthwise = parameter.ndim > 2 and parameter.shape[1] == 1
            if parameter.ndim < 2 or depthwise:
                continue
            rows = parameter.shape[0]
            if min(rows, parameter.numel() // max(rows, 1)) >= _SMALLEST_SIDE:
                found.add(f"{prefix}.{name}" if prefix else name)
    return found


class Muon(torch.optim.Optimizer):
    """Muon for the groups with ``muon=True``, AdamW for the others.

    Of a sharded matrix each rank keeps its part of the momentum, and gathers the update: turned by
    parts it would be another one.

    Args:
        groups: Parameter groups; each has ``muon``, and may have ``weight_decay``.
        lr: Learning rate of both.
        betas: AdamW's decay rates.
        eps: AdamW's epsilon.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        lr: float,
        *,
        betas: tuple[float, float],
        eps: float,
    ) -> None:
        super().__init__(groups, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Move every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            moved = [p for p in group["params"] if p.grad is not None]
            (self._move_matrices if group["muon"] else self._move_others)(moved, group)
        return loss

    def _move_matrices(self, parameters: list[nn.Parameter], group: dict[str, Any]) -> None:
        # Matrices of one shape are orthogonalised together: few large products, not many small.
        alike: dict[tuple[int, int, bool], list[tuple[nn.Parameter, torch.Tensor]]]
        alike = defaultdict(list)
        for parameter in parameters:
            assert parameter.grad is not None
            state = self.state[parameter]
            if not state:
                state["momentum"] = torch.zeros_like(parameter)
            gradient = own_part(parameter.grad)
            momentum = own_part(state["momentum"]).lerp_(gradient, 1 - _MOMENTUM)
            update = joined(gradient.lerp(momentum, _MOMENTUM), parameter).flatten(1)
            tall = update.shape[0] > update.shape[1]
            key = (update.shape[0], update.shape[1], tall)
            alike[key].append((parameter, update.mT if tall else update))
        for (rows, columns, tall), members in alike.items():
            directions = orthogonalized(torch.stack([update for _, update in members]))
            scale = _UPDATE_RMS * max(rows, columns) ** 0.5
            for (parameter, _), direction in zip(members, directions, strict=True):
                own = own_part(parameter).mul_(1 - group["lr"] * group["weight_decay"])
                turned = (direction.mT if tall else direction).reshape(parameter.shape)
                own.add_(own_part(split(turned, parameter)), alpha=-group["lr"] * scale)

    def _move_others(self, parameters: list[nn.Parameter], group: dict[str, Any]) -> None:
        # What was trained in as many steps is moved together: a call for all, not one for each.
        if not parameters:
            return
        alike: dict[float, list[nn.Parameter]] = defaultdict(list)
        for parameter in parameters:
            state = self.state[parameter]
            if not state:
                state["step"] = torch.zeros(())
                state["mean"] = torch.zeros_like(parameter)
                state["square"] = torch.zeros_like(parameter)
        torch._foreach_add_([self.state[one]["step"] for one in parameters], 1)
        for parameter in parameters:
            alike[float(self.state[parameter]["step"])].append(parameter)
        for step, members in alike.items():
            self._adamw(members, step, group)

    def _adamw(self, parameters: list[nn.Parameter], step: float, group: dict[str, Any]) -> None:
        beta1, beta2 = group["betas"]
        own = [own_part(one) for one in parameters]
        gradients = [own_part(one.grad) for one in parameters if one.grad is not None]
        means = [own_part(self.state[one]["mean"]) for one in parameters]
        squares = [own_part(self.state[one]["square"]) for one in parameters]
        torch._foreach_lerp_(means, gradients, 1 - beta1)
        torch._foreach_lerp_(squares, torch._foreach_mul(gradients, gradients), 1 - beta2)
        spreads = torch._foreach_div(squares, 1 - beta2**step)
        torch._foreach_sqrt_(spreads)
        torch._foreach_add_(spreads, group["eps"])
        torch._foreach_mul_(own, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_addcdiv_(own, means, spreads, -group["lr"] / (1 - beta1**step))


def orthogonalized(matrices: torch.Tensor) -> torch.Tensor:
    """Each matrix with its singular values pulled to about 1.

    Args:
        matrices: [count, rows, columns] with rows <= columns.

    Returns:
        The same shape; singular values above a hundredth of the norm come to 0.6 to 1.3.
    """
    a, b, c = _COEFFICIENTS
    turned: torch.Tensor = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    if matrices.shape[2] >= 2 * matrices.shape[1]:
        return _through_gram(turned)
    for _ in range(_ITERATIONS):
        gram = turned @ turned.mT
        polynomial = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        turned = torch.baddbmm(turned, polynomial, turned, beta=a)
    return turned


def _through_gram(matrices: torch.Tensor) -> torch.Tensor:
    """The same iteration on the small square of wide matrices, multiplied out once."""
    a, b, c = _COEFFICIENTS
    gram = matrices @ matrices.mT
    identity = torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device)
    product: torch.Tensor | None = None
    for iteration in range(_ITERATIONS):
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c) + a * identity
        product = factor if product is None else factor @ product
        if iteration + 1 < _ITERATIONS:
            gram = factor @ gram @ factor  # all are polynomials of one matrix: they commute
    assert product is not None
    return product @ matrices


def build_muon(
    model: nn.Module,
    decayed: set[str],
    *,
    lr: float,
    weight_decay: float,
    betas: tuple[float, float],
    eps: float,
) -> Muon:
    """The optimizer of a model's trained parameters.

    Args:
        model: The model.
        decayed: Names of the parameters that weight decay applies to.
        lr: Learning rate.
        weight_decay: Weight decay of the ``decayed`` ones.
        betas: AdamW's decay rates.
        eps: AdamW's epsilon.
    """
    matrices = matrix_parameters(model)
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups[(name in matrices, name in decayed)].append(parameter)
    return Muon(
        [
            {"params": members, "muon": muon, "weight_decay": weight_decay * decays}
            for (muon, decays), members in sorted(groups.items(), reverse=True)
        ],
        lr,
        betas=betas,
        eps=eps,
    )
