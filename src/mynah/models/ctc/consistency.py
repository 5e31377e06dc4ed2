"""Two masked copies of an utterance that are to be recognized alike (CR-CTC).

Yao et al. 2024, arXiv 2410.05101: each copy has masks of its own, the loss is the mean of the
two, and what the model says of each frame of one copy is pulled towards what it says of the
other. A frame that is masked in one is so learned from its surroundings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def divergence(log_probabilities: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
    """How far apart the labels of two copies are, summed over an utterance's frames, [batch].

    Half of KL(b || a) + KL(a || b) in each frame; of each, the gradient reaches the second
    alone, as in the paper.

    Args:
        log_probabilities: Of all first copies, then of all second, [2 x batch, frames, labels].
        frames: How many frames of each utterance are not padding, [batch].
    """
    import torch

    first, second = log_probabilities.chunk(2)
    each = _pulled(first, second) + _pulled(second, first)  # [batch, frames]
    numbers = torch.arange(each.shape[1], device=each.device)
    return each.masked_fill(numbers >= frames.to(each.device)[:, None], 0.0).sum(1) / 2


def _pulled(learns: torch.Tensor, towards: torch.Tensor) -> torch.Tensor:
    """KL(towards || learns) of each frame, without a gradient to ``towards``."""
    target = towards.detach()
    return (target.exp() * (target - learns)).sum(-1)
